import { create } from '@bufbuild/protobuf';
import { SsdPruneError } from '../errors';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type NodeProto,
  type TensorProto,
  AttributeProto_AttributeType as Type,
} from './onnx_pb';

/**
 * The attribute of that name, checked to hold the type that the operator defines. Files of IR version 1 leave the type
 * out: it is UNDEFINED then, and accepted.
 */
function find(node: NodeProto, name: string, type: Type): AttributeProto | undefined {
  const attribute = node.attribute.find((a) => a.name === name);
  if (!attribute) return undefined;
  if (attribute.refAttrName)
    throw bad(node, name, `refers to the function attribute "${attribute.refAttrName}", which only a function may do`);
  if (attribute.type !== type && attribute.type !== Type.UNDEFINED)
    throw bad(node, name, `is ${Type[attribute.type] ?? attribute.type} where ${Type[type]} belongs`);
  return attribute;
}

function bad(node: NodeProto, name: string, message: string): SsdPruneError {
  return new SsdPruneError('ERR_BAD_MODEL', `${node.opType} node "${node.name}": attribute "${name}" ${message}`);
}

function toInt(node: NodeProto, name: string, value: bigint): number {
  const int = Number(value);
  if (!Number.isSafeInteger(int)) throw bad(node, name, `is ${value}, beyond ±2^53`);
  return int;
}

/** @throws {SsdPruneError} ERR_BAD_MODEL where the attribute has another type */
export function getInt<D extends number | undefined>(node: NodeProto, name: string, fallback: D): number | D {
  const attribute = find(node, name, Type.INT);
  return attribute ? toInt(node, name, attribute.i) : fallback;
}

/** @throws {SsdPruneError} ERR_BAD_MODEL where the attribute has another type */
export function getInts<D extends number[] | undefined>(node: NodeProto, name: string, fallback: D): number[] | D {
  const attribute = find(node, name, Type.INTS);
  return attribute ? attribute.ints.map((value) => toInt(node, name, value)) : fallback;
}

/** @throws {SsdPruneError} ERR_BAD_MODEL where the attribute has another type */
export function getFloat<D extends number | undefined>(node: NodeProto, name: string, fallback: D): number | D {
  return find(node, name, Type.FLOAT)?.f ?? fallback;
}

/** @throws {SsdPruneError} ERR_BAD_MODEL where the attribute has another type */
export function getString<D extends string | undefined>(node: NodeProto, name: string, fallback: D): string | D {
  const attribute = find(node, name, Type.STRING);
  return attribute ? Buffer.from(attribute.s).toString('utf8') : fallback;
}

/** @throws {SsdPruneError} ERR_BAD_MODEL where the attribute has another type or holds no tensor */
export function getTensor(node: NodeProto, name: string): TensorProto | undefined {
  const attribute = find(node, name, Type.TENSOR);
  if (attribute && !attribute.t) throw bad(node, name, 'holds no tensor');
  return attribute?.t;
}

/** Sets an attribute in place, or adds it. */
export function setInt(node: NodeProto, name: string, value: number): void {
  const attribute = slot(node, name, Type.INT);
  attribute.i = BigInt(value);
}

/** Sets an attribute in place, or adds it. */
export function setInts(node: NodeProto, name: string, values: readonly number[]): void {
  const attribute = slot(node, name, Type.INTS);
  attribute.ints = values.map(BigInt);
}

function slot(node: NodeProto, name: string, type: Type): AttributeProto {
  let attribute = find(node, name, type);
  if (!attribute) {
    attribute = create(AttributeProtoSchema, { name });
    node.attribute.push(attribute);
  }
  attribute.type = type;
  return attribute;
}
