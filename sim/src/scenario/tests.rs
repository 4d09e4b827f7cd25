use super::*;

#[test]
fn the_same_seed_draws_the_same() {
    for seed in 0..50 {
        let clients = |tls| Scenario::draw(seed, tls).clients;
        assert_eq!(clients(false), clients(true));
    }
}

#[test]
fn what_is_drawn_can_be_written_and_read() {
    for seed in 0..300 {
        let scenario = Scenario::draw(seed, false);
        let text = scenario.to_toml().expect("paths are UTF-8");
        let again = Scenario::from_toml(&text);
        assert_eq!(again.expect("what was written"), scenario, "{text}");
    }
}

#[test]
fn a_short_file_is_enough() {
    let text = r#"
        seed = 3
        [[clients]]
        count = 5
        link = { up = { delay = "20ms" }, down = { delay = "20ms", loss = "1.5%" } }
        remote = [{ path = "a", size = 1000 }]
        goals = [{ get = { remote = "a", local = "a" } }, { list = "", starts = "1s" }]
    "#;
    let scenario = Scenario::from_toml(text).expect("a scenario");
    assert_eq!(scenario.users().count(), 5);
    let client = &scenario.clients[0];
    assert_eq!(client.link.down.loss, 15_000);
    assert_eq!(client.goals[1].goal, Goal::List(FilePath::root()));
    assert_eq!(client.goals[1].starts, Duration::from_secs(1));
    let nothing = |_: bool, _: &FilePath| false;
    assert_eq!(client.expect(0, nothing), Expect::Success);
}

#[test]
fn mistakes_are_named() {
    let error = |text| {
        Scenario::from_toml(text)
            .expect_err("a mistake")
            .to_string()
    };
    let misspelt = error("[[clients]]\ncuont = 5");
    assert!(
        misspelt.contains("cuont") && misspelt.contains("line 2"),
        "{misspelt}"
    );
    let nobody = error("[[incidents]]\nat = '1s'\nwho = 1\nwhat = 'revoke'");
    assert!(nobody.contains("client 1"), "{nobody}");
}

#[test]
fn every_kind_of_goal_and_fault_comes_up() {
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    let mut see = |name: &str, is: bool| {
        *seen.entry(name.into()).or_default() += u32::from(is);
    };
    for seed in 0..1_000 {
        let scenario = Scenario::draw(seed, false);
        see("tls", scenario.tls);
        see("failing disk", scenario.server.disk.has_faults());
        see("lying server", scenario.server.hostile.is_some());
        see("shared wire", scenario.shared.is_some());
        for incident in &scenario.incidents {
            let text = format!("{:?}", incident.what);
            let name = text.split([' ', '{', '(']).next().unwrap_or_default();
            see(name, true);
        }
        for client in &scenario.clients {
            see("lying client", client.host.hostile.is_some());
            let heavy = |plan: &LinkPlan| plan.loss >= 300_000;
            see(
                "30 % both ways",
                heavy(&client.link.up) && heavy(&client.link.down),
            );
            for plan in &client.goals {
                let text = format!("{:?}", plan.goal);
                see(&text[..3], true);
                see("cancelled", plan.cancel_after.is_some());
                see("in turn", plan.in_turn);
            }
            for index in 0..client.goals.len() {
                let expect = client.expect(index, |_, _| false);
                see("failure", matches!(expect, Expect::Failure(_)));
                see("contested", matches!(expect, Expect::Either(_)));
            }
        }
        let healed = scenario.healed_at().expect("all drawn faults end");
        assert!(healed < Duration::from_secs(200), "seed {seed}: {healed:?}");
    }
    let rare: Vec<_> = seen.iter().filter(|(_, count)| **count < 5).collect();
    assert!(rare.is_empty() && seen.len() >= 20, "{seen:#?}");
}
