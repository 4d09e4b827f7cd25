#![allow(missing_docs, unused)]
use super::*; use crate::slab::Key; use crate::endpoint::*; use crate::file::*; use crate::wire::*; use crate::event::Event; use crate::id::*; use crate::limits::Limits; use crate::time::*; use crate::peer::PacketWriter;
#[derive(Clone, Copy, Debug)] pub(crate) struct OpTag;
#[derive(PartialEq)] pub(crate) enum Taken { Yes, No }
pub(crate) struct TransferEvent; impl TransferEvent { pub(crate) fn with_id(self, _: TransferId) -> Event { unreachable!() } }
#[derive(Debug)] pub(crate) struct Transfers;
impl Transfers {
  pub(crate) fn new(_: crate::crypto::Direction, _: &Limits) -> Self { Self }
  pub(crate) fn start(&mut self, cx: &mut Context<'_>, request: Request) -> Result<Key, StartError> { Err(StartError::TooMany) }
  pub(crate) fn decide(&mut self, cx: &mut Context<'_>, key: Key, decision: Decision) -> Result<(), StaleId> {Ok(())}
  pub(crate) fn cancel(&mut self, cx: &mut Context<'_>, key: Key, code: ErrorCode) -> Result<(), StaleId> {Ok(())}
  pub(crate) fn cancel_all(&mut self, cx: &mut Context<'_>) {}
  pub(crate) fn handle_frame(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Taken, CloseCode> { Ok(Taken::Yes) }
  pub(crate) fn handle_file_done(&mut self, cx: &mut Context<'_>, key: Key, tag: OpTag, block: Option<Block>, result: Result<Outcome, FileError>) {}
  pub(crate) fn handle_acked(&mut self, cx: &mut Context<'_>, key: Key, item: Item) {}
  pub(crate) fn handle_lost(&mut self, cx: &mut Context<'_>, key: Key, item: Item) {}
  pub(crate) fn has_frames(&self) -> bool {false}
  pub(crate) fn write_frames(&mut self, cx: &mut Context<'_>, packet: &mut PacketWriter<'_>) {}
  pub(crate) fn poll_op(&mut self, cx: &mut Context<'_>) -> Option<(Key, OpTag, Operation)> {None}
  pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Option<(Key, TransferEvent)> {None}
  pub(crate) fn has_ops(&self)->bool{false} pub(crate) fn has_events(&self)->bool{false}
  pub(crate) fn deadline(&self) -> Option<Instant> {None} pub(crate) fn handle_timeout(&mut self, cx: &mut Context<'_>){}
  pub(crate) fn session_lost(&mut self, cx: &mut Context<'_>){} pub(crate) fn is_idle(&self)->bool{true} pub(crate) fn is_drained(&self)->bool{true}
  pub(crate) fn admitted(&mut self){}
}
