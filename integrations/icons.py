"""The connectors' icons: 18 by 18 line drawings, one stroke colour, so that they sit well on a diagram."""

from __future__ import annotations

_PATHS = {
    "gear": "M9 6.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M9 2v2M9 14v2M2 9h2M14 9h2M4 4l1.5 1.5M12.5 12.5 14 14M4 14l1.5-1.5M12.5 5.5 14 4",
    "person": "M9 8.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M3 16c0-3.5 2.5-5.5 6-5.5s6 2 6 5.5",
    "ticket": "M2 5h14v3a1.5 1.5 0 0 0 0 3v3H2v-3a1.5 1.5 0 0 0 0-3zM11 5v9",
    "bell": "M4 13V8a5 5 0 0 1 10 0v5l1.5 1.5h-13zM7.5 16h3",
    "hospital": "M3 16V4h12v12M2 16h14M9 6.5v4M7 8.5h4M7.5 16v-3h3v3",
    "flask": "M7 2h4M8 2v5l-4.5 8h11L10 7V2M5.5 12h7",
    "image": "M2.5 3.5h13v11h-13zM2.5 12l4-4 3.5 3.5 2-2 3.5 3.5M12 6.5h.5",
    "coin": "M9 2.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M6.5 5.5 9 9l2.5-3.5M9 9v4M6.8 9.5h4.4M6.8 11.2h4.4",
    "send": "M2 9 16 2.5 12 16l-3.5-5.5zM8.5 10.5 16 2.5",
    "globe": "M9 2a7 7 0 1 0 0 14A7 7 0 0 0 9 2M2 9h14M9 2c2.5 2 3 4.5 3 7s-.5 5-3 7c-2.5-2-3-4.5-3-7s.5-5 3-7",
    "ledger": "M3.5 2.5h11v13h-11zM6 6h6M6 9h6M6 12h3",
    "mail": "M2 4h14v10H2zM2 4.5l7 5.5 7-5.5",
    "phone": "M5 2h8v14H5zM7.5 13.8h3",
    "pill": "M11.5 2.8a3.2 3.2 0 0 1 3.7 3.7l-7 7a3.2 3.2 0 0 1-4.5-4.5l7-6.2zM6.8 6.5l4.7 4.7",
    "table": "M2.5 3h13v12h-13zM2.5 7h13M7 7v8",
}


def svg(name: str) -> str:
    """The icon as an SVG document; the gear for an unknown name."""
    path = _PATHS.get(name, _PATHS["gear"])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="18" height="18" viewBox="0 0 18 18" fill="none" '
        f'stroke="#1f5f5b" stroke-width="1.3" stroke-linecap="round" stroke-linejoin="round"><path d="{path}"/></svg>'
    )
