"""Web and workers killed under people who work: nothing acknowledged is lost, nothing is charged twice, nothing is stuck.

The two broken variants show that the test can see a loss and a double charge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.clinic import Clinic
from tests.chaos.keeper import LEASE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

Open = Callable[..., Clinic]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens clinics, and leaves none of their processes behind."""
    clinics: list[Clinic] = []
    # Not in pytest's own folder, which another session may tidy away under an hour's run.
    with TemporaryDirectory(prefix="carelane-chaos-") as folder:

        def open_clinic(database: str = "", **more: object) -> Clinic:
            place = Path(folder) / str(len(clinics))
            place.mkdir()
            clinics.append(Clinic(place, database, **more))  # type: ignore[arg-type]
            return clinics[-1]

        yield open_clinic
        for clinic in clinics:
            clinic.end()


def judge(clinic: Clinic, least: int) -> None:
    gaps = clinic.far_end.gaps()
    print(
        f"{len(clinic.acknowledged)} acknowledged, {dict(clinic.kills)} killed, {clinic.redelivered()} redelivered, "
        f"{clinic.faults()}; interrupted calls began again after at most {max(gaps, default=0):.2f} s (lease {LEASE_SECONDS} s)"
    )
    assert not any(clinic.faults().values()), (clinic.faults(), clinic.refused[:3])
    assert clinic.redelivered() >= least, "the kills must have hit work in progress"
    assert max(gaps) <= LEASE_SECONDS + 5


@pytest.mark.parametrize(
    ("kills", "users", "least"), [(8, 8, 3), pytest.param(200, 50, 100, marks=pytest.mark.bench)], ids=["short", "full"]
)  # fmt: skip
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_and_nothing_is_charged_twice(
    request: pytest.FixtureRequest, opened: Open, database: str, kills: int, users: int, least: int
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
    clinic = opened(url, users=users, pause=0.3 if users < 20 else 1.5)
    clinic.run(lambda: clinic.kill_often(kills))
    judge(clinic, least)


def test_without_a_stable_key_it_charges_twice(opened: Open) -> None:
    clinic = opened(variant="keyless")
    clinic.run(lambda: clinic.kill_often(5, ("worker",)))
    assert clinic.faults()["charged twice"] > 0


def test_acknowledging_before_the_work_loses_it(opened: Open) -> None:
    clinic = opened(variant="early")
    clinic.run(lambda: clinic.kill_often(6, ("worker",)))
    assert clinic.faults()["uncharged"] > 0
