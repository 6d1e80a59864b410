"""The widgets: ``<name>.py`` says what a component accepts, ``<name>.html`` how it looks."""
