//! Explicit congestion notification: what routers and hosts say in the IP header (RFC 3168, RFC 9000 §13.4).

/// The ECN field of an IP header (RFC 3168 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Ecn {
    /// The sender does not take part: routers drop instead of marking.
    #[default]
    NotEct = 0b00,
    /// ECT(1): the sender takes part. dhow never sends it.
    Ect1 = 0b01,
    /// ECT(0): the sender takes part.
    Ect0 = 0b10,
    /// A router marked it: congestion experienced.
    Ce = 0b11,
}

/// Packets of one level that arrived with a codepoint, since the session began (RFC 9000 §19.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EcnCounts {
    /// With ECT(0).
    pub ect0: u64,
    /// With ECT(1).
    pub ect1: u64,
    /// With ECN-CE.
    pub ce: u64,
}

impl EcnCounts {
    /// So many packets came with it.
    pub fn count(&mut self, ecn: Ecn, packets: u64) {
        match ecn {
            Ecn::NotEct => {}
            Ecn::Ect0 => self.ect0 += packets,
            Ecn::Ect1 => self.ect1 += packets,
            Ecn::Ce => self.ce += packets,
        }
    }
}
