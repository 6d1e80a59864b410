"""A table to read."""

from __future__ import annotations

from collections.abc import Mapping

from forms.component import Component
from forms.messages import is_chinese
from forms.paths import MISSING, dig
from forms.scope import Scope, is_expression
from forms.widget import Complain, Widget
from forms.wording import describe_value


class Table(Widget):
    """Rows of a variable, read only."""

    type = "table"
    holds = "nothing"
    properties = frozenset({"label", "dataSource", "columns", "columnsExpression", "rowCount"})
    validations = frozenset()

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report a table without rows or columns to show."""
        if not isinstance(raw.get("dataSource"), str) or not raw["dataSource"]:
            complain("dataSource", "table", "The table has no data source.", "Name a list variable or write =FEEL.")
        columns = raw.get("columns")
        fine = isinstance(columns, list) and all(isinstance(column, Mapping) and isinstance(column.get("key"), str) for column in columns)
        if ("columnsExpression" in raw) == ("columns" in raw) or ("columns" in raw and not fine):
            complain("columns", "table", "The table needs columns with label and key, or a columnsExpression.", "Give exactly one of the two.")

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Give head and body as words."""
        columns = self._columns(component, scope)
        rows = self._rows(component, scope)
        most = component.raw.get("rowCount")
        most = most if isinstance(most, int) and most > 0 else 100
        body = [[self._cell(row, str(column["key"]), scope) for column in columns] for row in rows[:most]]
        return {"head": [self._head(component, column, scope) for column in columns], "body": body, "more": max(0, len(rows) - most)}

    def _columns(self, component: Component, scope: Scope) -> list[Mapping[str, object]]:
        columns = component.raw.get("columns")
        if columns is None and scope.evaluate is not None:
            columns = scope.value_of(component.raw.get("columnsExpression"))
        return [column for column in columns if isinstance(column, Mapping) and "key" in column] if isinstance(columns, list) else []

    def _rows(self, component: Component, scope: Scope) -> list[object]:
        source = component.text("dataSource")
        if is_expression(source):
            name = source[1:].strip()
            rows = scope.value_of(source) if scope.evaluate else dig(scope.variables, name.split("."))
        else:
            rows = dig(scope.variables, source.split("."))
        return list(rows) if isinstance(rows, list | tuple) else []

    def _head(self, component: Component, column: Mapping[str, object], scope: Scope) -> str:
        chinese = component.properties.get(f"column:{column['key']}:zh") if is_chinese(scope.lang) else None
        return chinese or str(column.get("label") or column["key"])

    def _cell(self, row: object, key: str, scope: Scope) -> str:
        value = dig(row, key.split("."))
        return describe_value(None if value is MISSING else value, scope.lang)


WIDGET = Table()
