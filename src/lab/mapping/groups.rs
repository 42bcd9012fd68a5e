//! Which segments belong together: patients, their orders, what was observed.

use crate::lab::v2::{Message, Segment};

/// A patient with everything that is told about them.
#[derive(Debug, Default)]
pub(super) struct Group<'m> {
    pub(super) patient: Option<Segment<'m>>,
    /// PD1 and NK1: who belongs to the patient.
    pub(super) relations: Vec<Segment<'m>>,
    pub(super) notes: Vec<Segment<'m>>,
    pub(super) visit: Option<Segment<'m>>,
    pub(super) document: Option<Segment<'m>>,
    pub(super) orders: Vec<Order<'m>>,
    /// Observations before any order: of a specimen, or of a document.
    pub(super) loose: Vec<Observed<'m>>,
}

/// An order with its results.
#[derive(Debug, Default)]
pub(super) struct Order<'m> {
    pub(super) control: Option<Segment<'m>>,
    pub(super) request: Option<Segment<'m>>,
    pub(super) timing: Option<Segment<'m>>,
    pub(super) notes: Vec<Segment<'m>>,
    pub(super) observations: Vec<Observed<'m>>,
    pub(super) specimens: Vec<Segment<'m>>,
    pub(super) diagnoses: Vec<Segment<'m>>,
}

/// An OBX with its notes.
#[derive(Debug)]
pub(super) struct Observed<'m> {
    pub(super) result: Segment<'m>,
    pub(super) notes: Vec<Segment<'m>>,
    /// The specimen that it stands behind, where that comes before the orders.
    pub(super) specimen: Option<Segment<'m>>,
}

/// Where a note goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Patient,
    Order,
    Result,
    Loose,
    Other,
}

/// Reads the groups of a message.
pub(super) fn groups(message: &Message) -> Vec<Group<'_>> {
    let specimens_lead = matches!(message.header(9).component(2).text().as_str(), "R22" | "R23");
    let mut walk =
        Walk { done: Vec::new(), current: Group::default(), specimens: Vec::new(), behind: Behind::Other, specimens_lead };
    for segment in message.segments().skip(1) {
        walk.step(segment);
    }
    walk.done.push(walk.current);
    walk.done
}

struct Walk<'m> {
    done: Vec<Group<'m>>,
    current: Group<'m>,
    /// Those that stand before their orders.
    specimens: Vec<Segment<'m>>,
    behind: Behind,
    specimens_lead: bool,
}

impl<'m> Walk<'m> {
    fn order(&mut self) -> Option<&mut Order<'m>> {
        self.current.orders.last_mut()
    }

    fn begin_order(&mut self, order: Order<'m>) {
        let specimens = if self.specimens_lead { self.specimens.clone() } else { Vec::new() };
        self.current.orders.push(Order { specimens, ..order });
        self.behind = Behind::Order;
    }

    fn step(&mut self, segment: Segment<'m>) {
        match segment.name() {
            "PID" => {
                let before = std::mem::replace(&mut self.current, Group { patient: Some(segment), ..Group::default() });
                self.done.push(before);
                self.specimens.clear();
                self.behind = Behind::Patient;
            }
            "PV1" => {
                self.current.visit.get_or_insert(segment);
                self.behind = Behind::Other;
            }
            "TXA" => {
                self.current.document.get_or_insert(segment);
                self.behind = Behind::Other;
            }
            "PD1" | "NK1" => self.current.relations.push(segment),
            "ORC" => self.control(segment),
            "OBR" => self.request(segment),
            "TQ1" => {
                if let Some(order) = self.order() {
                    order.timing.get_or_insert(segment);
                }
            }
            "DG1" => {
                if let Some(order) = self.order() {
                    order.diagnoses.push(segment);
                }
            }
            "SPM" => self.specimen(segment),
            "OBX" => self.result(segment),
            "NTE" => self.note(segment),
            _ => {}
        }
    }

    /// An ORC begins an order, but behind an OBR that still lacks one (OUL) it belongs to that.
    fn control(&mut self, segment: Segment<'m>) {
        let lacks = |order: &&mut Order<'m>| order.request.is_some() && order.control.is_none() && order.observations.is_empty();
        let follows = segment.message().header(9).component(1).text() == "OUL";
        if let Some(order) = self.order().filter(lacks).filter(|_| follows) {
            order.control = Some(segment);
            return;
        }
        self.begin_order(Order { control: Some(segment), ..Order::default() });
    }

    fn request(&mut self, segment: Segment<'m>) {
        self.behind = Behind::Order;
        match self.order().filter(|order| order.request.is_none()) {
            Some(order) => order.request = Some(segment),
            None => self.begin_order(Order { request: Some(segment), ..Order::default() }),
        }
    }

    fn specimen(&mut self, segment: Segment<'m>) {
        self.behind = Behind::Other;
        if self.specimens_lead {
            // The specimen of what follows: no order is open behind it.
            self.specimens = vec![segment];
            let group = &mut self.current;
            if group.orders.last().is_some_and(|order| order.request.is_some()) {
                group.orders.push(Order { specimens: self.specimens.clone(), ..Order::default() });
            }
            return;
        }
        match self.order() {
            Some(order) => order.specimens.push(segment),
            None => self.specimens.push(segment),
        }
    }

    fn result(&mut self, segment: Segment<'m>) {
        let mut observed = Observed { result: segment, notes: Vec::new(), specimen: None };
        // Behind an ORC that still waits for its OBR it belongs to that order too.
        if let Some(order) = self.order().filter(|order| order.request.is_some() || order.control.is_some()) {
            order.observations.push(observed);
            self.behind = Behind::Result;
            return;
        }
        observed.specimen = self.specimens.last().copied();
        self.current.loose.push(observed);
        self.behind = Behind::Loose;
    }

    fn note(&mut self, segment: Segment<'m>) {
        match self.behind {
            Behind::Result => {
                if let Some(last) = self.order().and_then(|order| order.observations.last_mut()) {
                    last.notes.push(segment);
                }
            }
            Behind::Order => {
                if let Some(order) = self.order() {
                    order.notes.push(segment);
                }
            }
            Behind::Loose => {
                if let Some(last) = self.current.loose.last_mut() {
                    last.notes.push(segment);
                }
            }
            Behind::Patient | Behind::Other => self.current.notes.push(segment),
        }
    }
}
