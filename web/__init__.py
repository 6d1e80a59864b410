"""The Flask application: pages for staff, and the edges that other systems talk to."""

from __future__ import annotations

from importlib import import_module

from engine.settings import Settings
from web import csrf, db, errors, headers, i18n, logs, shell
from web.accounts import oidc, sessions
from web.edge import EdgeFlask

# One folder a feature; its `views.py` has a blueprint `bp`. A new feature is a folder and a line here.
FEATURES = (
    "accounts",
    "admin",
    "alerts",
    "api",
    "board",
    "connections",
    "far_ends",
    "governance",
    "fhir",
    "health",
    "hooks",
    "inbox",
    "insight",
    "legacy",
    "live",
    "money",
    "operations",
    "records",
    "rollout",
    "studio",
    "visits",
)


def create_app(settings: Settings | None = None) -> EdgeFlask:
    """The application for `settings` (from the environment when None)."""
    settings = settings or Settings.from_env()
    app = EdgeFlask(__name__)
    app.secret_key = settings.secret
    app.config.update(
        CARELANE=settings,
        MAX_CONTENT_LENGTH=4 * 1024 * 1024,
        SESSION_COOKIE_NAME="carelane",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https"),
        SEND_FILE_MAX_AGE_DEFAULT=86_400,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    db.init(app, settings)
    i18n.init(app, settings)
    errors.init(app)
    headers.init(app, secure=settings.public_url.startswith("https"))
    logs.init(app, settings.log_level)
    sessions.init(app)
    csrf.init(app)
    oidc.init(app, settings)
    for feature in FEATURES:
        app.register_blueprint(import_module(f"web.{feature}.views").bp)
    shell.init(app)
    return app
