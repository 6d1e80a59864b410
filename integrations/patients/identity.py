"""Identity numbers and contact data: the resident ID card's checksum and content, tidy phones and names, what a name sounds like."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

# GB 11643-1999, section 4: weights and check characters (ISO 7064 MOD 11-2)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"

Sex = Literal["male", "female"]

# Traditional and variant characters that names are written with, to the form that the register uses
_VARIANTS = str.maketrans(
    "張陳劉楊黃趙吳孫馬羅鄭謝許韓馮鄧葉蘇呂盧蔣賈鄒陸閻鐘譚範龔賴龐樊顧龍萬錢湯喬賀湯嚴溫蘭齊紀莊聶關歐陽項紹區單"
    "曉偉麗強軍華國慶傑鳳瑩輝飛東鵬寶貴榮學義衛紅艷豔鳴億愛雲樹濤燦蓮夢韻靜倩詩語瀟澤瑋錦銀鐵鋒鋼銘鈞鑫維緒緯綺紅純練絢"
    "嬌媽娟嫻婭穎頴頌順須顏願飄馳駿騰驍驥鴻鶴鷹麟黨齡齊龢賢貞貫資賓賽贊進遠運達選遙邁鄉釗鍾鎮鏡長門開閏閃閔聞"
    "陰隊階際隨險雙雛難靈韋頂昇峯羣嶽珮脩栢凃濶喆甯祐",
    "张陈刘杨黄赵吴孙马罗郑谢许韩冯邓叶苏吕卢蒋贾邹陆阎钟谭范龚赖庞樊顾龙万钱汤乔贺汤严温兰齐纪庄聂关欧阳项绍区单"
    "晓伟丽强军华国庆杰凤莹辉飞东鹏宝贵荣学义卫红艳艳鸣亿爱云树涛灿莲梦韵静倩诗语潇泽玮锦银铁锋钢铭钧鑫维绪纬绮红纯练绚"
    "娇妈娟娴娅颖颖颂顺须颜愿飘驰骏腾骁骥鸿鹤鹰麟党龄齐和贤贞贯资宾赛赞进远运达选遥迈乡钊钟镇镜长门开闰闪闵闻"
    "阴队阶际随险双雏难灵韦顶升峰群岳佩修柏涂阔哲宁佑",
)
_DOTS = "·•・･‧∙⋅․。.●﹒．"


@dataclass(frozen=True, slots=True)
class IdCard:
    """What a valid resident ID card says."""

    number: str
    birth_date: date
    sex: Sex


def read_id_card(text: str, today: date) -> IdCard | str:
    """The card's content, or in words why it cannot be a resident ID card (GB 11643-1999).

    A number of 15 digits (GB 11643-1989, of people born before 2000) is read as its 18 characters.
    """
    number = tidy_card(text)
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return "An ID card has 17 digits and a last digit or X."
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return f"The ID card's birth date {number[6:14]} is no date."
    if not date(1880, 1, 1) <= born <= today:
        return f"The ID card's birth date {born.isoformat()} cannot be."
    if check_character(number[:17]) != number[17]:
        return "The ID card's last character does not fit the others; one of them is mistyped."
    return IdCard(number, born, "male" if int(number[16]) % 2 else "female")


def check_character(first17: str) -> str:
    """The 18th character that belongs to the first 17 (ISO 7064 MOD 11-2)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def tidy_id(text: str) -> str:
    """An identifier without spaces and dashes, full-width characters made plain, letters in capitals."""
    return re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", text)).upper()


def tidy_card(text: str) -> str:
    """A resident ID card as its 18 characters, also where 15 digits were given."""
    number = tidy_id(text)
    if not re.fullmatch(r"\d{15}", number):
        return number
    first = f"{number[:6]}19{number[6:]}"
    return first + check_character(first)


def tidy_phone(text: str) -> str:
    """Digits only, without China's country code, the 0 that some systems put before a mobile number, or an extension."""
    plain = re.split(r"(?i)转|ext|x|#", unicodedata.normalize("NFKC", text))[0]
    digits = re.sub(r"\D", "", plain)
    return re.sub(r"^(0086|86)?0?(?=1[3-9]\d{9}$)", "", digits)


def tidy_name(text: str) -> str:
    """A name to compare by: no spaces or dots inside, one case, variant characters and full-width made plain.

    张 三 = 张三, 張三 = 张三, 阿依·古丽 = 阿依古丽.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_VARIANTS)
    return re.sub(rf"[\s\-'’,{re.escape(_DOTS)}]", "", plain).casefold()


@lru_cache(maxsize=4096)
def sound(text: str) -> str:
    """What a name sounds like, without tones: 王晓明, 王小明 and Wang Xiaoming are wangxiaoming.

    A Latin name's words come in the order of a Chinese name when the surname is written in capitals (Xiaoming WANG).
    """
    from pypinyin import lazy_pinyin  # half a second to load: not before a name is compared

    words = unicodedata.normalize("NFKC", text).strip().split()
    if len(words) == 2 and words[1].isascii() and words[1].isupper() and not words[0].isupper():
        words.reverse()
    return "".join(lazy_pinyin(tidy_name("".join(words)))).replace("ü", "v").casefold()
