"""Every word that the package itself says to a person, in Chinese and English."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("zh", "en")

MESSAGES: Final[dict[str, tuple[str, str]]] = {
    # each in Chinese, then in English
    "required": ("请填写此项。", "Fill this in."),
    "required_choice": ("请选择一项。", "Choose one."),
    "required_choices": ("请至少选择一项。", "Choose at least one."),
    "required_tick": ("请勾选以确认。", "Tick this to confirm."),
    "text": ("请填写文字。", "Enter text."),
    "control": ("含有无法保存的控制字符，请重新输入。", "Holds control characters that cannot be stored; type it again."),
    "one_line": ("请写成一行。", "Write this on one line."),
    "too_short": ("至少需要 {limit} 个字符，现在是 {size} 个。", "Use at least {limit} characters; this has {size}."),
    "too_long": ("最多 {limit} 个字符，现在是 {size} 个。", "Use at most {limit} characters; this has {size}."),
    "pattern": ("格式不正确，请按要求的格式填写。", "This is not in the expected form; check it and type it again."),
    "email": ("请填写完整的邮箱地址，例如 li@example.cn。", "Enter a full email address, such as li@example.org."),
    "phone": ("请填写电话号码，例如 13800138000 或 010-62345678。", "Enter a phone number, such as 13800138000 or +44 20 7946 0000."),
    "mobile": ("请填写 11 位手机号码，例如 13800138000。", "Enter an 11-digit mobile number, such as 13800138000."),
    "id_form": ("身份证号码应为 18 位：17 位数字加 1 位数字或 X。", "An identity number has 18 characters: 17 digits, then a digit or X."),
    "id_birth": (
        "身份证号码中的出生日期不存在或在今天之后，请核对。",
        "The birth date in this identity number does not exist or is in the future; check it.",
    ),
    "id_checksum": ("身份证号码校验位不符，请逐位核对。", "The check digit of this identity number does not match; check each digit."),
    "number": ("请填写数字，例如 36.5，不要带单位。", "Enter a number, such as 36.5, without a unit."),
    "comma": ("请用小数点，不要用逗号或句号，例如 36.5 或 1200。", "Use a point and no commas, such as 36.5 or 1200."),
    "integer": ("请填写整数。", "Enter a whole number."),
    "decimals": ("最多 {limit} 位小数。", "Use at most {limit} digits after the point."),
    "minimum": ("不能小于 {limit}。", "Must be {limit} or more."),
    "maximum": ("不能大于 {limit}。", "Must be {limit} or less."),
    "increment": ("应为 {step} 的倍数，最接近的是 {below} 和 {above}。", "Must be a multiple of {step}; the nearest are {below} and {above}."),
    "choice": ("请从列出的选项中选择。", "Choose one of the options listed."),
    "choices": ("“{value}”不在可选项中，请重新选择。", "“{value}” is not one of the options; choose again."),
    "boolean": ("请选择是或否。", "Choose yes or no."),
    "date": ("请填写有效日期，例如 2026-03-09。", "Enter a real date, such as 2026-03-09."),
    "time": ("请填写有效时间，例如 08:30。", "Enter a real time, such as 08:30."),
    "datetime": ("请填写有效的日期和时间，例如 2026-03-09 08:30。", "Enter a real date and time, such as 2026-03-09 08:30."),
    "past": ("不能早于现在。", "Must not be in the past."),
    "interval": ("请按每 {minutes} 分钟一档选择时间。", "Choose a time in steps of {minutes} minutes."),
    "rows": ("请填写列表。", "Give a list of rows."),
    "rows_few": ("至少需要 {limit} 行。", "Add at least {limit} rows."),
    "rows_many": ("最多 {limit} 行。", "Keep at most {limit} rows."),
    "rows_fixed": ("此列表固定为 {limit} 行，不能增减。", "This list has exactly {limit} rows; rows cannot be added or removed."),
    "note_unknown": ("表单中没有“{path}”，已忽略。", "The form has no “{path}”; it was dropped."),
    "note_readonly": ("“{path}”为只读，提交的值已忽略。", "“{path}” is read only; the submitted value was dropped."),
    "note_hidden": ("“{path}”未显示，提交的值已忽略。", "“{path}” is not shown; the submitted value was dropped."),
    "colon": ("：", ": "),
    "summary_one": ("请更正 1 处问题", "Correct 1 problem"),
    "summary": ("请更正 {count} 处问题", "Correct {count} problems"),
    "error": ("错误：", "Error: "),
    "must": ("必填", "required"),
    "choose": ("请选择", "Choose"),
    "none": ("（不选）", "(none)"),
    "no_options": ("没有可选项。", "There is nothing to choose from."),
    "yes": ("是", "Yes"),
    "no": ("否", "No"),
    "add_row": ("添加一行", "Add a row"),
    "remove_row": ("删除", "Remove"),
    "row": ("第 {number} 行", "Row {number}"),
    "row_of": ("{list} · 第 {number} 行", "{list} · row {number}"),
    "no_rows": ("还没有内容。", "No rows yet."),
    "more_rows": ("另有 {count} 行未显示。", "{count} more rows are not shown."),
    "submit": ("提交", "Submit"),
    "reset": ("清空", "Reset"),
    "blank": ("—", "—"),
    "example": ("示例文字", "Sample text"),
}


def say(key: str, lang: str, **values: object) -> str:
    """Give a message in a language; anything that is not Chinese is answered in English."""
    chinese, english = MESSAGES[key]
    return (chinese if is_chinese(lang) else english).format(**values)


def is_chinese(lang: str) -> bool:
    """Whether a locale code (zh, zh_CN, zh-Hans) is Chinese."""
    return lang.lower().startswith("zh")
