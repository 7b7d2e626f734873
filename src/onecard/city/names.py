"""Invented Chinese names for the demonstration city: of people, organisations and shops. No real person or firm is meant."""

from random import Random

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰凤洁梅琳素云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍"
    "贞莉桦叶璧璐娅琦晶妍茜秋珊莎锦黛青倩婷姣婉娴瑾颖露瑶怡婵雁蓓纨仪荷丹蓉眉君琴蕊薇菁梦岚苑婕馨瑗琰韵融"
    "园艺咏卿聪澜纯毓悦昭冰爽琬茗羽希宁欣飘育滢馥筠柔竹霭凝晓欢霄枫芸菲寒"
)
PLACES = (
    "东湖",
    "西岭",
    "南浦",
    "北苑",
    "新河",
    "青山",
    "云台",
    "临江",
    "望海",
    "松陵",
    "锦溪",
    "白鹭",
    "丹霞",
    "紫藤",
    "梧桐",
    "石桥",
)
SCHOOLS = ("理工大学", "师范学院", "职业技术学院", "实验中学", "外国语学校", "医科大学")
FIRMS = ("电子", "机械", "软件", "生物医药", "船舶", "汽车部件", "纺织", "食品", "新材料", "光电")
TOWERS = ("国际大厦", "科技广场", "金融中心", "创业园", "商务中心")
HOSPITALS = ("人民医院", "中医院", "妇幼保健院")
SHOPS = ("便利店", "书店", "水果店", "面包房", "药房", "文具店")


def person(rng: Random) -> str:
    """A person's name of two or three characters."""
    name = rng.choice(SURNAMES) + rng.choice(GIVEN)
    return name + rng.choice(GIVEN) if rng.random() < 0.7 else name


def organisation(rng: Random, kind: str) -> str:
    """The name of a school, firm, tower or hospital."""
    place = rng.choice(PLACES)
    if kind == "firm":
        return f"{place}{rng.choice(FIRMS)}有限公司"
    return place + rng.choice({"school": SCHOOLS, "tower": TOWERS, "hospital": HOSPITALS}[kind])
