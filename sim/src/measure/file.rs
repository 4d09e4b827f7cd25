//! Measurements written as TOML.

use proto_core::Duration;
use serde::{Deserialize, Serialize};

use super::{Amount, FlowPlan, Measurement, Way, algorithm_named};
use crate::link::Link;
use crate::units;

/// A measurement as a file says it.
///
/// ```
/// let text = r#"
///     title = "Two downloads over DSL"
///     link = "dsl"
///     [[flows]]
///     algorithm = "cubic"
///     time = "20s"
///     [[flows]]
///     algorithm = "cubic"
///     start = "5s"
///     size = "10MB"
/// "#;
/// let file = sim::measure::PlanFile::parse(text)?;
/// assert_eq!(file.measurement()?.flows.len(), 2);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// What the picture is called.
    pub title: String,
    /// Randomness; 0 unless said otherwise.
    #[serde(default)]
    pub seed: u64,
    /// From one sample to the next; 10 ms unless said otherwise.
    #[serde(default = "sample_every", with = "units::duration")]
    pub sample_every: Duration,
    /// UDP payload of full datagrams; [`Measurement::datagram_size_for`] the link unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagram_size: Option<u16>,
    /// When the measurement ends in any case; an hour unless said otherwise.
    #[serde(default = "time_max", with = "units::duration")]
    pub time_max: Duration,
    /// The link, by name or in full.
    pub link: LinkText,
    /// The transfers.
    pub flows: Vec<FlowText>,
}

/// A link by name ([`Link::named`]), or in full.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LinkText {
    /// By name.
    Name(String),
    /// In full.
    Plan(Box<Link>),
}

/// A transfer. Either `size` or `time` is said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowText {
    /// The name of the congestion control.
    pub algorithm: String,
    /// When it starts; at once unless said otherwise.
    #[serde(default, with = "units::duration")]
    pub start: Duration,
    /// Bytes of the file.
    #[serde(
        default,
        with = "units::size::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub size: Option<u64>,
    /// How long it goes on.
    #[serde(
        default,
        with = "units::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub time: Option<Duration>,
    /// Whether the client puts the file; otherwise it gets it.
    #[serde(default)]
    pub put: bool,
    /// Delay of its own in each direction.
    #[serde(default, with = "units::duration")]
    pub extra_delay: Duration,
}

fn sample_every() -> Duration {
    Duration::from_millis(10)
}

fn time_max() -> Duration {
    Duration::from_secs(3_600)
}

impl PlanFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Where it is no TOML, or not of this form.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The measurement.
    ///
    /// # Errors
    /// Names that nothing has, links that cannot be, and flows that do not say how long they go on.
    pub fn measurement(&self) -> Result<Measurement, String> {
        let link = match &self.link {
            LinkText::Name(name) => Link::named(name)
                .ok_or_else(|| format!("no link is called {name}: {}", Link::NAMES.join(", ")))?,
            LinkText::Plan(link) => link.as_ref().clone(),
        };
        link.check()?;
        if self.flows.is_empty() {
            return Err("a measurement needs a flow".into());
        }
        let flows: Result<Vec<FlowPlan>, String> = self.flows.iter().map(FlowText::plan).collect();
        let usual_size = Measurement::datagram_size_for(&link);
        Ok(Measurement {
            link,
            flows: flows?,
            seed: self.seed,
            sample_every: self.sample_every,
            datagram_size: self.datagram_size.unwrap_or(usual_size),
            time_max: self.time_max,
        })
    }
}

impl FlowText {
    fn plan(&self) -> Result<FlowPlan, String> {
        let name = &self.algorithm;
        let congestion = algorithm_named(name)
            .ok_or_else(|| format!("no congestion control is called {name}"))?;
        let amount = match (self.size, self.time) {
            (Some(bytes), None) => Amount::Bytes(bytes),
            (None, Some(time)) => Amount::Time(time),
            _ => return Err("a flow has either a size or a time".into()),
        };
        Ok(FlowPlan {
            start: self.start,
            amount,
            way: if self.put { Way::Up } else { Way::Down },
            congestion,
            extra_delay: self.extra_delay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_measurement_is_said() {
        let with = |link: &str, flow: &str| {
            let text =
                format!("title = ''\nlink = '{link}'\n[[flows]]\nalgorithm = 'cubic'\n{flow}");
            PlanFile::parse(&text)?.measurement().map(|_| ())
        };
        assert_eq!(with("dsl", "time = '1s'"), Ok(()));
        assert!(with("carrier pigeon", "time = '1s'").is_err());
        assert!(with("dsl", "").is_err());
        assert!(with("dsl", "time = '1s'\nsize = '1B'").is_err());
        assert!(with("dsl", "time = '1 fortnight'").is_err());
        assert!(with("dsl", "time = '1s'\ncolour = 'red'").is_err());
    }
}
