use super::*;

fn verb(text: &str, class: Class) -> Stem {
    Stem::new(text, class, Kind::Verb)
}

fn adjective(text: &str, class: Class) -> Stem {
    Stem::new(text, class, Kind::Adjective)
}

/// Plain, polite, formal.
fn styles(stem: &Stem) -> [String; 3] {
    [Style::Plain, Style::Polite, Style::Formal].map(|style| stem.statement(style))
}

#[test]
fn regular_verbs() {
    assert_eq!(styles(&Stem::verb("읽")), ["읽는다", "읽어요", "읽습니다"]);
    assert_eq!(styles(&Stem::verb("가")), ["간다", "가요", "갑니다"]);
    assert_eq!(styles(&Stem::verb("오")), ["온다", "와요", "옵니다"]);
    assert_eq!(styles(&Stem::verb("마시")), ["마신다", "마셔요", "마십니다"]);
    assert_eq!(styles(&Stem::verb("배우")), ["배운다", "배워요", "배웁니다"]);
    assert_eq!(styles(&Stem::verb("보내")), ["보낸다", "보내요", "보냅니다"]);
    assert_eq!(styles(&Stem::verb("쉬")), ["쉰다", "쉬어요", "쉽니다"]);
    assert_eq!(styles(&Stem::verb("씻")), ["씻는다", "씻어요", "씻습니다"]);
    assert_eq!(styles(&Stem::verb("닫")), ["닫는다", "닫아요", "닫습니다"]);
    assert_eq!(styles(&Stem::verb("앉")), ["앉는다", "앉아요", "앉습니다"]);
    assert_eq!(styles(&verb("일하", Class::Ha)), ["일한다", "일해요", "일합니다"]);
}

#[test]
fn rieul_falls_out_before_n_b_s() {
    let live = Stem::verb("살");
    assert_eq!(styles(&live), ["산다", "살아요", "삽니다"]);
    assert_eq!(
        [live.attributive(), live.perfective(), live.prospective()],
        ["사는", "산", "살"]
    );
    assert_eq!(
        [live.condition(), live.honorific().statement(Style::Plain)],
        ["살면", "사신다"]
    );
    let long = adjective("길", Class::Regular);
    assert_eq!(styles(&long), ["길다", "길어요", "깁니다"]);
    assert_eq!(long.attributive(), "긴");
}

#[test]
fn eu_falls_out_before_a_vowel() {
    assert_eq!(styles(&Stem::verb("쓰")), ["쓴다", "써요", "씁니다"]);
    assert_eq!(
        styles(&adjective("바쁘", Class::Regular)),
        ["바쁘다", "바빠요", "바쁩니다"]
    );
    assert_eq!(
        styles(&adjective("예쁘", Class::Regular)),
        ["예쁘다", "예뻐요", "예쁩니다"]
    );
    assert_eq!(styles(&adjective("크", Class::Regular)), ["크다", "커요", "큽니다"]);
}

#[test]
fn irregular_verbs() {
    let listen = verb("듣", Class::Dieut);
    assert_eq!(styles(&listen), ["듣는다", "들어요", "듣습니다"]);
    assert_eq!(
        [listen.attributive(), listen.perfective(), listen.condition()],
        ["듣는", "들은", "들으면"]
    );
    let help = verb("돕", Class::Bieup);
    assert_eq!(styles(&help), ["돕는다", "도와요", "돕습니다"]);
    assert_eq!([help.perfective(), help.prospective()], ["도운", "도울"]);
    assert_eq!(styles(&verb("줍", Class::Bieup)), ["줍는다", "주워요", "줍습니다"]);
    let build = verb("짓", Class::Siot);
    assert_eq!(styles(&build), ["짓는다", "지어요", "짓습니다"]);
    assert_eq!(
        [build.perfective(), build.past().statement(Style::Polite)],
        ["지은", "지었어요"]
    );
    let sing = verb("부르", Class::Reu);
    assert_eq!(styles(&sing), ["부른다", "불러요", "부릅니다"]);
    assert_eq!(verb("나르", Class::Reu).past().statement(Style::Plain), "날랐다");
}

#[test]
fn adjectives() {
    assert_eq!(styles(&adjective("작", Class::Regular)), ["작다", "작아요", "작습니다"]);
    let heavy = adjective("무겁", Class::Bieup);
    assert_eq!(styles(&heavy), ["무겁다", "무거워요", "무겁습니다"]);
    assert_eq!(heavy.attributive(), "무거운");
    let red = adjective("빨갛", Class::Hieut);
    assert_eq!(styles(&red), ["빨갛다", "빨개요", "빨갛습니다"]);
    assert_eq!(
        [red.attributive(), red.past().statement(Style::Plain)],
        ["빨간", "빨갰다"]
    );
    assert_eq!(adjective("하얗", Class::Hieut).statement(Style::Polite), "하얘요");
    assert_eq!(styles(&adjective("빠르", Class::Reu)), ["빠르다", "빨라요", "빠릅니다"]);
    let interesting = Stem::new("재미있", Class::Regular, Kind::Existence);
    assert_eq!(
        [interesting.attributive(), interesting.statement(Style::Plain)],
        ["재미있는", "재미있다"]
    );
}

#[test]
fn past_and_future() {
    assert_eq!(styles(&Stem::verb("가").past()), ["갔다", "갔어요", "갔습니다"]);
    assert_eq!(styles(&Stem::verb("마시").past()), ["마셨다", "마셨어요", "마셨습니다"]);
    assert_eq!(
        styles(&verb("일하", Class::Ha).past()),
        ["일했다", "일했어요", "일했습니다"]
    );
    assert_eq!(
        styles(&Stem::verb("읽").future()),
        ["읽을 것이다", "읽을 거예요", "읽을 것입니다"]
    );
    assert_eq!(
        styles(&Stem::verb("만들").future()),
        ["만들 것이다", "만들 거예요", "만들 것입니다"]
    );
    assert_eq!(Stem::verb("읽").future().question(Style::Formal), "읽을 것입니까");
}

#[test]
fn the_copula_depends_on_the_noun() {
    assert_eq!(styles(&Stem::copula("학생")), ["학생이다", "학생이에요", "학생입니다"]);
    assert_eq!(styles(&Stem::copula("의사")), ["의사이다", "의사예요", "의사입니다"]);
    assert_eq!(
        styles(&Stem::copula("학생").past()),
        ["학생이었다", "학생이었어요", "학생이었습니다"]
    );
    assert_eq!(
        styles(&Stem::copula("의사").past()),
        ["의사였다", "의사였어요", "의사였습니다"]
    );
    let not = Stem::new("아니", Class::Copula, Kind::Adjective);
    assert_eq!(styles(&not), ["아니다", "아니에요", "아닙니다"]);
    assert_eq!(not.past().statement(Style::Plain), "아니었다");
}

#[test]
fn honorifics() {
    assert_eq!(
        styles(&Stem::verb("읽").honorific()),
        ["읽으신다", "읽으세요", "읽으십니다"]
    );
    assert_eq!(
        styles(&Stem::verb("읽").honorific().past()),
        ["읽으셨다", "읽으셨어요", "읽으셨습니다"]
    );
    assert_eq!(verb("돕", Class::Bieup).honorific().statement(Style::Plain), "도우신다");
    assert_eq!(Stem::verb("드시").honorific(), Stem::verb("드시"));
    assert_eq!(
        adjective("바쁘", Class::Regular).honorific().statement(Style::Polite),
        "바쁘세요"
    );
}

#[test]
fn negation_ability_and_duty() {
    assert_eq!(
        styles(&Stem::verb("읽").negative()),
        ["읽지 않는다", "읽지 않아요", "읽지 않습니다"]
    );
    assert_eq!(
        styles(&adjective("작", Class::Regular).negative()),
        ["작지 않다", "작지 않아요", "작지 않습니다"]
    );
    assert_eq!(
        Stem::verb("읽").negative().honorific().statement(Style::Plain),
        "읽지 않으신다"
    );
    assert_eq!(
        styles(&Stem::verb("살").ability(false)),
        ["살 수 없다", "살 수 없어요", "살 수 없습니다"]
    );
    assert_eq!(
        styles(&verb("듣", Class::Dieut).duty()),
        ["들어야 한다", "들어야 해요", "들어야 합니다"]
    );
}
