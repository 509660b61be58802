// What npm, pnpm, yarn and bun publish: a document of the package with one version, and the archive in it as base64.

import { defaultLimits } from '../../protocol/limits.ts';
import { JsonObject, type JsonValue, memberOf, shownName, UnreadableBody } from '../json-value.ts';
import { jsonCodingOf } from '../read-body.ts';
import { readJson } from '../read-json.ts';
import { UnreadablePackage } from './package-request.ts';
import { digestOfHex, strongestDigest } from './promised-digest.ts';
import type { Publication, PublicationReader, PublicationTools } from './published-body.ts';
import { versionOrders } from './version-order.ts';

const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;

export const npmPublication: PublicationReader = ({ asked, headers, octets }, tools) => {
  const { name = '', operation } = asked;
  const coding = jsonCodingOf(headers);
  if (typeof coding === 'object') return new UnreadablePackage(`has a body that ${coding.problem}`);
  if (coding !== 'identity') return new UnreadablePackage('has a body with a Content-Encoding');
  const read = readJson(octets, { depthMax, valuesMax });
  if (read instanceof UnreadableBody) return new UnreadablePackage(`has a body that ${read.reason}`);
  try {
    const document = objectOf(read.value, 'its document');
    for (const member of ['_id', 'name'] as const) {
      const said = part(document, member);
      if (said !== name && !(said === undefined && (member === '_id' || operation !== undefined)))
        throw new Fault(`names another package in ${shownName(member)} than in its address`);
    }
    const attachments = part(document, '_attachments');
    const files = attachments === undefined ? undefined : objectOf(attachments, '"_attachments"');
    if (files === undefined || files.members.size === 0) return { operation: operation ?? 'deprecate', name };
    if (operation !== undefined) throw new Fault('has an archive where it takes something away');
    return published(name, document, files, tools);
  } catch (fault) {
    if (fault instanceof Fault) return new UnreadablePackage(fault.message);
    throw fault;
  }
};

/** Thrown inside of this file alone. */
class Fault extends Error {}

function published(
  name: string,
  document: JsonObject,
  files: JsonObject,
  tools: PublicationTools,
): Publication {
  const versions = [...objectOf(part(document, 'versions'), '"versions"').members];
  const [first] = versions;
  if (first === undefined || versions.length > 1) throw new Fault('does not have one version in "versions"');
  const [version, value] = first;
  if (!versionOrders.npm.isVersion(version)) throw new Fault('names no version in "versions"');
  const manifest = objectOf(value, 'its version');
  if (part(manifest, 'name') !== name) throw new Fault('names another package in "name" of its version');
  if (part(manifest, 'version') !== version) throw new Fault('names another version in its version');
  const id = part(manifest, '_id');
  if (id !== undefined && id !== `${name}@${version}`) throw new Fault('has another "_id" in its version');
  const tags = part(document, 'dist-tags');
  const tagged = tags === undefined ? [] : [...objectOf(tags, '"dist-tags"').members.values()];
  if (tagged.some((one) => one !== version)) throw new Fault('moves a tag to another version than its own');
  const archive = archiveIn(files, `${name}-${version}`, tools);
  const digest = tools.digestOf('sha512', archive);
  checkDist(part(manifest, 'dist'), { digest, archive }, tools);
  return { operation: 'publish', name, version, digest };
}

/** The archive by its own name, and beside it at most what proves where it was built. */
function archiveIn(files: JsonObject, base: string, { octetsOfBase64 }: PublicationTools): Uint8Array {
  const other = [...files.members.keys()].find((one) => one !== `${base}.tgz` && one !== `${base}.sigstore`);
  if (other !== undefined)
    throw new Fault(`has the attachment ${shownName(other)}, which is not of its version`);
  const file = part(files, `${base}.tgz`);
  if (file === undefined) throw new Fault('has no archive of its version');
  const attached = objectOf(file, 'its archive');
  const data = part(attached, 'data');
  const octets = typeof data === 'string' ? octetsOfBase64(data) : undefined;
  if (octets === undefined)
    throw new Fault('has an archive that decoders of base64 read in more than one way');
  const length = part(attached, 'length');
  if (length !== undefined && length !== octets.length)
    throw new Fault('has an archive of another length than it says');
  return octets;
}

/** What the version promises of its archive is what clients will check. */
function checkDist(
  dist: JsonValue | undefined,
  { digest, archive }: { readonly digest: string; readonly archive: Uint8Array },
  tools: PublicationTools,
): void {
  if (dist === undefined) return;
  const object = objectOf(dist, '"dist"');
  const [integrity, shasum] = [part(object, 'integrity'), part(object, 'shasum')];
  const isPromised =
    integrity === undefined || (typeof integrity === 'string' && strongestDigest(integrity) === digest);
  const sha1 = typeof shasum === 'string' ? digestOfHex('sha1', shasum) : undefined;
  const isSummed = shasum === undefined || (sha1 !== undefined && sha1 === tools.digestOf('sha1', archive));
  if (!isPromised || !isSummed) throw new Fault('promises another archive than it has');
}

function part(object: JsonObject, name: string): JsonValue | undefined {
  const member = memberOf(object, name);
  if (member instanceof UnreadableBody) throw new Fault(`has a body that ${member.reason}`);
  return member;
}

function objectOf(value: JsonValue | undefined, what: string): JsonObject {
  if (value instanceof JsonObject) return value;
  throw new Fault(`does not have an object as ${what}`);
}
