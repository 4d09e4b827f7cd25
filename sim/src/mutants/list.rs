//! The list.

use proto_core::fault::Fault;

use super::Finder::{self, Crash, CrashWithFailingSyncs, Drawn, Harder};
use super::Mutant;
use super::Profile::{
    ChangingSources, DeafServer, FlippedBits, Hesitation, NarrowSinks, ShrinkingPaths,
};

/// A bug that strikes always and shows from outside of the core, too.
const fn shows(bug: Fault, finder: Finder, seeds: u64) -> Mutant {
    Mutant {
        bug,
        one_in: 1,
        finder,
        seeds,
        black_box: true,
    }
}

/// A bug that strikes always. From outside it can hardly be told from bad luck on the way: everything ends well, only
/// later, or faster than is fair.
const fn hides(bug: Fault, finder: Finder, seeds: u64) -> Mutant {
    Mutant {
        black_box: false,
        ..shows(bug, finder, seeds)
    }
}

/// Every planted bug, with what finds it, and within how many seeds: two to three times as many as the worst of five
/// starting seeds took, 10 at least.
pub const MUTANTS: &[Mutant] = &[
    shows(Fault::SyncSkipped, Crash, 10),
    shows(Fault::DirectorySyncSkipped, Crash, 10),
    shows(Fault::StoredEarly, Crash, 10),
    shows(Fault::SyncFailureIgnored, CrashWithFailingSyncs, 30),
    shows(Fault::RenameBeforeHash, Drawn, 15),
    shows(Fault::WritesUnawaited, Drawn, 10),
    shows(Fault::PieceUnchecked, Harder(FlippedBits), 25),
    shows(Fault::RootUnchecked, Harder(FlippedBits), 10),
    shows(Fault::VersionUnchecked, Harder(ChangingSources), 30),
    shows(Fault::TargetReplaced, Drawn, 60),
    shows(Fault::TempFileLeft, Drawn, 200),
    shows(Fault::SinkFileLeftOpen, Drawn, 10),
    shows(Fault::SourceFileLeftOpen, Drawn, 10),
    shows(Fault::LostRangeForgotten, Drawn, 20),
    shows(Fault::LostControlForgotten, Drawn, 15),
    shows(Fault::LostCreditForgotten, Harder(NarrowSinks), 50),
    shows(Fault::ResentOffsetWrong, Drawn, 20),
    shows(Fault::BytesCountedTwice, Drawn, 50),
    shows(Fault::CreditBeyondPool, Drawn, 100),
    hides(Fault::CreditCountedTwice, Drawn, 10),
    shows(Fault::CreditUnheeded, Drawn, 80),
    shows(Fault::BlockLeaked, Drawn, 40),
    shows(Fault::NumberReused, Drawn, 10),
    shows(Fault::DuplicateAccepted, Drawn, 40),
    shows(Fault::ForgeryAccepted, Drawn, 80),
    shows(Fault::AckRangeIgnored, Drawn, 600),
    shows(Fault::AckOneTooMany, Drawn, 15),
    shows(Fault::InFlightMiscounted, Drawn, 20),
    hides(Fault::WindowUnheeded, Drawn, 10),
    hides(Fault::BlackHoleUnheeded, Harder(ShrinkingPaths), 30),
    hides(Fault::MtuProbeCounted, Drawn, 10),
    shows(Fault::AmplificationUnheeded, Harder(DeafServer), 250),
    shows(Fault::AdmissionUnheeded, Harder(Hesitation), 10),
    hides(Fault::LossTimerForgotten, Drawn, 10),
    hides(Fault::ProbeTimerForgotten, Drawn, 10),
    hides(Fault::AckTimerForgotten, Drawn, 10),
    hides(Fault::KeepAliveForgotten, Drawn, 10),
    shows(Fault::IdleTimerForgotten, Drawn, 400),
    shows(Fault::DecisionTimerForgotten, Harder(Hesitation), 10),
    shows(Fault::DeadlinePast, Drawn, 10),
    hides(Fault::TimerAfterEnd, Drawn, 40),
    shows(Fault::EventTwice, Drawn, 10),
    shows(Fault::EventLost, Drawn, 10),
];
