"""The staff of the demonstration clinic."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from web.accounts.passwords import hashed
from web.accounts.tables import Account, AccountRole, Department

PASSWORD = "carelane"  # noqa: S105 - printed on the sign-in page of the demonstration

DEPARTMENTS = [
    ("internal_medicine", "内科", "Internal medicine"),
    ("surgery", "外科", "Surgery"),
    ("paediatrics", "儿科", "Paediatrics"),
    ("gynaecology", "妇科", "Gynaecology"),
    ("orthopaedics", "骨科", "Orthopaedics"),
    ("ent", "耳鼻喉科", "Ear, nose and throat"),
]

# login, Chinese name, English name, roles as (role, department or None for all)
STAFF: list[tuple[str, str, str, list[tuple[str, str | None]]]] = [
    ("registrar", "陈晓", "Chen Xiao", [("registrar", None)]),
    ("nurse", "李娜", "Li Na", [("triage_nurse", None)]),
    ("doctor", "王建国", "Wang Jianguo", [("doctor", None)]),
    ("surgeon", "周磊", "Zhou Lei", [("doctor", "surgery")]),
    ("paediatrician", "何静", "He Jing", [("doctor", "paediatrics")]),
    ("lab", "赵敏", "Zhao Min", [("lab_technician", None)]),
    ("imaging", "孙强", "Sun Qiang", [("imaging_technician", None)]),
    ("cashier", "吴芳", "Wu Fang", [("cashier", None)]),
    ("pharmacist", "郑伟", "Zheng Wei", [("pharmacist", None)]),
    ("referral", "冯丽", "Feng Li", [("referral_coordinator", None)]),
    ("owner", "林涛", "Lin Tao", [("process_owner", None)]),
    ("pm", "徐婷", "Xu Ting", [("project_manager", None)]),
    ("engineer", "高翔", "Gao Xiang", [("integration_engineer", None)]),
    ("admin", "管理员", "Administrator", [("admin", None)]),
]


ROOMS = {"nurse": "1", "doctor": "3", "surgeon": "5", "paediatrician": "6", "lab": "11", "imaging": "12", "cashier": "20", "pharmacist": "21"}


def seed_departments(session: Session) -> None:
    """Adds the departments that are missing."""
    there = set(session.scalars(select(Department.code)))
    for position, (code, zh, en) in enumerate(DEPARTMENTS):
        if code not in there:
            session.add(Department(code=code, name_zh=zh, name_en=en, position=position))
    session.flush()


def seed(session: Session) -> None:
    """Adds the demonstration's departments and staff that are missing. Never for a real clinic: the password is public."""
    seed_departments(session)
    there = set(session.scalars(select(Account.login)))
    missing = [person for person in STAFF if person[0] not in there]
    password = hashed(PASSWORD) if missing else None
    for login, zh, en, roles in missing:
        account = Account(
            login=login, name_zh=zh, name_en=en, password=password, demo=True, email=f"{login}@clinic.example", room=ROOMS.get(login)
        )
        account.roles = [AccountRole(role=role, department=department) for role, department in roles]
        session.add(account)
    session.flush()
