// What twine, poetry, uv and flit upload: a form with the fields of a file, and the file.

import { isAlike, shownName } from '../json-value.ts';
import { formBoundaryOf, FormFault, type FormPart, partsOf } from '../multipart-parts.ts';
import { UnreadablePackage } from './package-request.ts';
import { digestOfHex } from './promised-digest.ts';
import type { Publication, PublicationReader, PublicationTools } from './published-body.ts';
import { pypiName, readPypiFile } from './pypi-request.ts';
import { versionOrders } from './version-order.ts';

/** Fields that say what is done, and to what. Of others, such as `classifiers`, there may be several. */
const deciding = [
  ':action',
  'protocol_version',
  'name',
  'version',
  'filetype',
  'content',
  'sha256_digest',
] as const;
type Deciding = (typeof deciding)[number];

const namePattern = /^:?[0-9A-Za-z_-]+$/;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const pypiPublication: PublicationReader = ({ headers, octets }, tools) => {
  const [type = '', ...others] = headers.all('content-type');
  const boundary = others.length === 0 ? formBoundaryOf(type) : undefined;
  if (boundary === undefined) return new UnreadablePackage('has a body that is not a form');
  try {
    return published(fieldsOf(partsOf(octets, boundary, namePattern)), tools);
  } catch (fault) {
    if (fault instanceof FormFault) return new UnreadablePackage(`has a body that ${fault.message}`);
    throw fault;
  }
};

/** Each of the deciding ones once at most, in no other spelling, and no other file but a signature. */
function fieldsOf(parts: readonly FormPart[]): ReadonlyMap<Deciding, FormPart> {
  const found = new Map<Deciding, FormPart>();
  for (const part of parts) {
    const field = deciding.find((one) => isAlike(part.name.replaceAll('-', '_'), one));
    const isFile = part.filename !== undefined;
    if (field === undefined) {
      if (isFile && part.name !== 'gpg_signature')
        throw new FormFault(`is a form with the file ${shownName(part.name)}`);
      continue;
    }
    if (field !== part.name)
      throw new FormFault(`has ${shownName(part.name)}, which some servers take for ${shownName(field)}`);
    if (found.has(field)) throw new FormFault(`has the field ${shownName(field)} twice`);
    if (isFile !== (field === 'content'))
      throw new FormFault(`has a field ${shownName(field)} of another kind`);
    found.set(field, part);
  }
  return found;
}

function published(
  fields: ReadonlyMap<Deciding, FormPart>,
  { digestOf }: PublicationTools,
): Publication | UnreadablePackage {
  const textOf = (field: Deciding): string | undefined => {
    const part = fields.get(field);
    return part === undefined ? undefined : decoded(part.content);
  };
  if (textOf(':action') !== 'file_upload')
    return new UnreadablePackage('does something else than to upload a file');
  const [name = '', version = ''] = [textOf('name'), textOf('version')];
  const content = fields.get('content');
  const file = content?.filename ?? '';
  const read = readPypiFile(file);
  if (content === undefined || read instanceof UnreadablePackage)
    return new UnreadablePackage('uploads a file whose name says no package, or two');
  const { isVersion, compare } = versionOrders.pypi;
  const isSame = read.name === pypiName(name) && isVersion(version) && compare(read.version, version) === 0;
  if (!isSame) return new UnreadablePackage('uploads a file of another name or version than its fields say');
  const digest = digestOf('sha256', content.content);
  const said = textOf('sha256_digest');
  if (said !== undefined && digestOfHex('sha256', said) !== digest)
    return new UnreadablePackage('uploads another file than its field "sha256_digest" says');
  return { operation: 'publish', name: read.name, version: read.version, file, digest };
}

function decoded(octets: Uint8Array): string {
  try {
    return decoder.decode(octets);
  } catch {
    throw new FormFault('has a field that is not UTF-8');
  }
}
