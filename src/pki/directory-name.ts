// Distinguished names (RFC 5280 §7.1) in a form in which equal ones are equal: letters and blanks do not count.

import { derTag, readDerElement, readDerElements, readDerOid } from './der.ts';
import type { DerElement } from './der.ts';

/** The relative names in order, each a sorted list of `oid=value`. */
export type DirectoryName = readonly (readonly string[])[];

/** Reads the DER of a Name. @throws RangeError where it is none */
export function directoryName(name: Uint8Array): DirectoryName {
  return readDerElements(readDerElement(name, derTag.sequence).contents).map((rdn) => {
    if (rdn.tag !== derTag.set) throw new RangeError('DER: not a name');
    return readDerElements(rdn.contents).map(attributeOf).toSorted();
  });
}

/** Whether it is the base or a name in the tree below. */
export function isBelow(name: DirectoryName, base: DirectoryName): boolean {
  return base.every((rdn, at) => {
    const own = name[at];
    return own !== undefined && own.length === rdn.length && rdn.every((one, n) => one === own[n]);
  });
}

function attributeOf(attribute: DerElement): string {
  const [type, value] = readDerElements(attribute.contents);
  if (attribute.tag !== derTag.sequence || type?.tag !== derTag.oid || value === undefined)
    throw new RangeError('DER: not a name');
  return `${readDerOid(type)}=${textOf(value)}`;
}

/** What is no text is compared as it stands. */
function textOf({ tag, contents, whole }: DerElement): string {
  const bytes = Buffer.from(contents);
  switch (tag) {
    case derTag.utf8String:
      return folded(bytes.toString('utf8'));
    case derTag.printableString:
    case derTag.ia5String:
    case derTag.teletexString:
    case derTag.visibleString:
      return folded(bytes.toString('latin1'));
    case derTag.bmpString:
      if (bytes.length % 2 !== 0) throw new RangeError('DER: not a text');
      return folded(bytes.swap16().toString('utf16le'));
    default:
      return `#${Buffer.from(whole).toString('hex')}`;
  }
}

function folded(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .split(/\s/)
    .filter((word) => word !== '')
    .join(' ');
}
