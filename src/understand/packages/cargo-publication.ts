// What cargo publishes: the length of a text of JSON, that text, the length of an archive, and the archive (both as 32 bits, little end first).

import { defaultLimits } from '../../protocol/limits.ts';
import { JsonObject, memberOf, UnreadableBody } from '../json-value.ts';
import { readJson } from '../read-json.ts';
import { cargoName, isCrateName } from './cargo-request.ts';
import { UnreadablePackage } from './package-request.ts';
import type { PublicationReader } from './published-body.ts';
import { versionOrders } from './version-order.ts';

const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;

export const cargoPublication: PublicationReader = ({ octets }, tools) => {
  const text = lengthened(octets, 0);
  const archive = text === undefined ? undefined : lengthened(octets, text.end);
  if (text === undefined || archive?.end !== octets.length)
    return new UnreadablePackage('is not of the length that its body says');
  const read = readJson(text.content, { depthMax, valuesMax });
  if (read instanceof UnreadableBody) return new UnreadablePackage(`has metadata that ${read.reason}`);
  if (!(read.value instanceof JsonObject)) return new UnreadablePackage('has metadata that is no object');
  const [name, version] = [memberOf(read.value, 'name'), memberOf(read.value, 'vers')];
  if (typeof name !== 'string' || !isCrateName(name))
    return new UnreadablePackage('names no crate in its metadata');
  if (typeof version !== 'string' || !versionOrders.cargo.isVersion(version))
    return new UnreadablePackage('names no version in its metadata');
  const first = firstEntry(tools.unpackedStart(archive.content));
  // All of a crate is in one folder; the registry refuses what is not.
  if (first?.startsWith(`${name}-${version}/`) !== true)
    return new UnreadablePackage('has a crate whose files are of another name or version than its metadata');
  return {
    operation: 'publish',
    name: cargoName(name),
    version,
    digest: tools.digestOf('sha256', archive.content),
  };
};

/** What stands behind its own length; undefined: there is less. */
function lengthened(
  octets: Uint8Array,
  at: number,
): { readonly content: Uint8Array; readonly end: number } | undefined {
  if (at + 4 > octets.length) return undefined;
  const length = new DataView(octets.buffer, octets.byteOffset).getUint32(at, true);
  const end = at + 4 + length;
  return end > octets.length ? undefined : { content: octets.subarray(at + 4, end), end };
}

/** The name of the first file of a tar (ustar): up to 100 octets, before which up to 155 may stand at 345. */
function firstEntry(tar: Uint8Array | undefined): string | undefined {
  if (tar === undefined || tar.length < 512) return undefined;
  const [name, prefix] = [fieldOf(tar, 0, 100), fieldOf(tar, 345, 500)];
  const isUstar = fieldOf(tar, 257, 262) === 'ustar';
  return isUstar && prefix !== '' ? `${prefix}/${name}` : name;
}

function fieldOf(octets: Uint8Array, from: number, to: number): string {
  const field = [...octets.subarray(from, to)];
  const end = field.indexOf(0);
  return String.fromCharCode(...(end < 0 ? field : field.slice(0, end)));
}
