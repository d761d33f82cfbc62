//! JSON as CEL has it. Lists and objects are shared: CEL copies what a loop looks at, entry by entry, and what is compared or
//! put into another list, with all that is in it. Here that is a count.
//!
//! CEL takes what says that it is built in ([`Val::as_builtin`], which its documentation leaves out) for its own lists and
//! objects, so that these are equal to those, and are found and converted as those are.

use cel::{
    ExecutionError, Value as Cel,
    common::{
        traits::{Adder, Container, Indexer, Iterable, Iterator, Sizer, Zeroer},
        types::{self, CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, Type},
        value::{Builtin, BuiltinRef, CowVal, Val},
    },
};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// How much there is in facts: what their expressions may cost goes by that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Values, lists and objects among them.
    pub(crate) values: usize,
    /// Entries of the longest list or object.
    pub(crate) longest: usize,
    /// Bytes of the longest text.
    pub(crate) text: usize,
}

/// The value. A positive whole number, too, is an `int`, not a `uint`.
pub(super) fn shared(value: &Value, extent: &mut Extent) -> Box<dyn Val> {
    extent.values += 1;
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Box::new(CelInt::from(whole)),
            (None, Some(broken)) => Box::new(CelDouble::from(broken)),
            (None, None) => Box::new(CelNull),
        },
        Value::String(text) => {
            extent.text = extent.text.max(text.len());
            Box::new(CelString::from(text.clone()))
        }
        Value::Array(entries) => {
            extent.longest = extent.longest.max(entries.len());
            let entries: Vec<_> = entries.iter().map(|entry| shared(entry, extent)).collect();
            Box::new(Shared(Arc::new(Held::List(CelList::from(entries)))))
        }
        Value::Object(fields) => {
            extent.longest = extent.longest.max(fields.len());
            let mut keys = Vec::with_capacity(fields.len());
            let mut map: HashMap<CelMapKey<'static>, Box<dyn Val>> = HashMap::with_capacity(fields.len());
            for (name, value) in fields {
                keys.push(CelString::from(name.clone()));
                map.insert(
                    CelMapKey::String(CelString::from(name.clone())),
                    shared(value, extent),
                );
            }
            keys.sort_by(|one, other| one.inner().cmp(other.inner()));
            Box::new(Shared(Arc::new(Held::Map(CelMap::from(map), keys))))
        }
    }
}

#[derive(Debug, Clone)]
struct Shared(Arc<Held>);

#[derive(Debug)]
enum Held {
    List(CelList<'static>),
    /// With its keys in order: a loop over them is the same each time.
    Map(CelMap<'static>, Vec<CelString<'static>>),
}

impl Shared {
    fn held(&self) -> &(dyn Val + 'static) {
        match &*self.0 {
            Held::List(list) => list,
            Held::Map(map, _) => map,
        }
    }
}

impl Val for Shared {
    fn get_type(&self) -> &Type {
        self.held().get_type()
    }

    fn cel_type() -> &'static Type {
        &types::DYN_TYPE
    }

    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
    where
        Self: 'v,
    {
        self.held().as_adder()
    }

    fn as_container(&self) -> Option<&dyn Container> {
        self.held().as_container()
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        self.held().as_indexer()
    }

    fn into_indexer<'v>(self: Box<Self>) -> Option<Box<dyn Indexer + 'v>>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        self.held().as_sizer()
    }

    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        self.held().as_zeroer()
    }

    fn equals(&self, other: &dyn Val) -> bool {
        self.held().equals(other)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_builtin<'b, 'v>(&'b self) -> BuiltinRef<'b, 'v>
    where
        Self: 'v,
    {
        match &*self.0 {
            Held::List(list) => BuiltinRef::List(list),
            Held::Map(map, _) => BuiltinRef::Map(map),
        }
    }

    fn into_builtin<'v>(self: Box<Self>) -> Option<Builtin<'v>>
    where
        Self: 'v,
    {
        Some(match &*self.0 {
            Held::List(list) => Builtin::List(list.clone()),
            Held::Map(map, _) => Builtin::Map(map.clone()),
        })
    }
}

impl Indexer for Shared {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        match self.held().as_indexer() {
            Some(indexer) => indexer.get(index),
            None => Err(ExecutionError::UnsupportedTargetType { target: Cel::Null }),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Iterable for Shared {
    fn iter<'b, 'v>(&'b self) -> Box<dyn Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        match &*self.0 {
            Held::List(list) => Box::new(Entries(list.inner().iter())),
            Held::Map(_, keys) => Box::new(Keys(keys.iter())),
        }
    }
}

struct Entries<'b>(std::slice::Iter<'b, Box<dyn Val>>);

impl<'b, 'v> Iterator<'b, 'v> for Entries<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|entry| &**entry as &(dyn Val + 'v))
    }
}

struct Keys<'b>(std::slice::Iter<'b, CelString<'static>>);

impl<'b, 'v> Iterator<'b, 'v> for Keys<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|key| key as &(dyn Val + 'v))
    }
}
