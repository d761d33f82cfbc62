//! The doctor: nothing is found on a database that was only ever written by Slipway, whatever happened in it; and every
//! kind of damage done by hand is found, by the invariant it breaks and the thing it is done to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod damage;
mod damages;
mod healthy;
#[expect(dead_code, reason = "shared with the tests of delivery, which use more of it")]
#[path = "../delivery/shop.rs"]
mod shop;
mod story;
