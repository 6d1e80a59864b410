"""Security headers of every answer."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request

# Pages whose libraries write style attributes (dmn-js, uPlot); all other pages keep the strict policy.
INLINE_STYLE_FEATURES = frozenset({"studio", "insight"})

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "X-Frame-Options": "DENY",
}


def init(app: Flask, *, secure: bool) -> None:
    """Adds the headers; `secure` also tells browsers to stay on HTTPS."""

    @app.after_request
    def _add(response: Response) -> Response:
        for name, value in FIXED.items():
            response.headers.setdefault(name, value)
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", _policy())
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        if secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response

    app.add_template_global(nonce, "csp_nonce")


def nonce() -> str:
    """The nonce of this answer's scripts; made when a template asks for it."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def _policy() -> str:
    script = f"'self' 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else "'self'"
    style = "'self' 'unsafe-inline'" if request.blueprint in INLINE_STYLE_FEATURES else "'self'"
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
