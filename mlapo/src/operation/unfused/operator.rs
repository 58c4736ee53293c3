//! The operators of the chain behind one type.

use ascendcl::Runtime;
use atb::param::{Concat, Elewise, Linear, ReshapeAndCache, RmsNorm, Rope, Split};
use atb::{GraphBuilder, Node, Operation, TensorId};

use crate::error::Error;

/// Defines the parameters, the operations, and what is done with each of them.
macro_rules! operators {
    ($($name:ident),* $(,)?) => {
        /// What a launch computes.
        #[derive(Clone, Debug)]
        pub(super) enum Param {
            $($name($name),)*
        }

        /// An operation of the chain.
        #[derive(Debug)]
        pub(super) enum Operator {
            $($name(Operation<$name>),)*
        }

        impl Param {
            /// The operator's name.
            pub(super) fn operator(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            pub(super) fn create(&self, runtime: &Runtime) -> Result<Operator, Error> {
                Ok(match self {
                    $(Self::$name(param) => Operator::$name(Operation::new(runtime, param.clone())?),)*
                })
            }
        }

        impl Operator {
            /// Gives the operation to a graph, as its next node.
            pub(super) fn add_to<'g>(
                self,
                graph: &'g mut GraphBuilder,
                inputs: &[TensorId],
                outputs: &[TensorId],
            ) -> Result<Node<'g>, Error> {
                Ok(match self {
                    $(Self::$name(operation) => graph.node(operation, inputs, outputs)?,)*
                })
            }
        }

        impl Operator {
            /// Does the same with whichever operation it is.
            pub(super) fn visit<R>(&mut self, visitor: impl Visitor<R>) -> R {
                match self {
                    $(Self::$name(operation) => visitor.visit(operation),)*
                }
            }
        }
    };
}

operators!(Concat, Elewise, Linear, ReshapeAndCache, RmsNorm, Rope, Split);

/// What is done with an operation, whichever it is.
pub(super) trait Visitor<R> {
    fn visit<P: atb::param::Param>(self, operation: &mut Operation<P>) -> R;
}
