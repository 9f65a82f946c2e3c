//! Lends an object to a plugin through a proxy of one's own, which is no pointer that a host sent.

pub trait Engine {
    fn log(&self, line: &str);
}

pub struct ReplugProxy(u8);

impl Engine for ReplugProxy {
    fn log(&self, _: &str) {
        println!("{}", self.0);
    }
}

type ReplugTypes = u8;

struct ReplugHost;

impl ReplugHost {
    const TABLE: &'static u8 = &0;
}

const REPLUG_SHAPE: replug_plugin::__private::Shape = replug_plugin::__private::Shape::Scalar("u8");

replug_plugin::__offer!(@lent Engine Ref);

fn main() {}
