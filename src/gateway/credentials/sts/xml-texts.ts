// The texts of a small document of XML by the names of the elements around them. It reads what services of AWS write and nothing else: no
// declaration of types, no comment, no entity beyond the five, no element twice, and no text beside an element.

import { defaultLimits } from '../../../protocol/limits.ts';

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Texts by path, such as `Response/Result/Credentials/AccessKeyId`; undefined for anything else than such a document. */
export function xmlTexts(xml: string): ReadonlyMap<string, string> | undefined {
  if (xml.length > defaultLimits.stsResponseCharactersMax) return undefined;
  const reader = new XmlReader();
  let at = xml.startsWith('<?xml ') ? xml.indexOf('?>') + 2 : 0;
  while (at < xml.length) {
    const isTag = xml[at] === '<';
    const found = xml.indexOf(isTag ? '>' : '<', at);
    if (isTag && found === -1) return undefined;
    const end = found === -1 ? xml.length : found;
    if (!(isTag ? reader.takeTag(xml.slice(at + 1, end)) : reader.takeText(xml.slice(at, end))))
      return undefined;
    at = isTag ? end + 1 : end;
  }
  return reader.end();
}

class XmlReader {
  readonly #texts = new Map<string, string>();
  readonly #open: { readonly path: string; hasElements: boolean; text: string }[] = [];
  #hasRoot = false;

  /** False for what is not read here. */
  takeTag(tag: string): boolean {
    if (tag.startsWith('/')) return this.#close(tag.slice(1));
    const isEmpty = tag.endsWith('/');
    const [name = '', space, ...others] = (isEmpty ? tag.slice(0, -1) : tag).trimEnd().split(' ');
    const isPlain = space === undefined || /^xmlns="[^"<>&]{1,128}"$/.test(space);
    if (!isPlain || others.length > 0 || !/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name)) return false;
    return this.#begin(name) && (!isEmpty || this.#close(name));
  }

  takeText(text: string): boolean {
    const element = this.#open.at(-1);
    if (element === undefined || element.hasElements) return text.trim() === '';
    const plain = unescaped(text);
    if (plain === undefined) return false;
    element.text += plain;
    return true;
  }

  end(): ReadonlyMap<string, string> | undefined {
    return this.#hasRoot && this.#open.length === 0 ? this.#texts : undefined;
  }

  #begin(name: string): boolean {
    const parent = this.#open.at(-1);
    if (parent === undefined && this.#hasRoot) return false;
    if (parent !== undefined && parent.text.trim() !== '') return false;
    if (parent !== undefined) parent.hasElements = true;
    this.#hasRoot = true;
    const path = parent === undefined ? name : `${parent.path}/${name}`;
    this.#open.push({ path, hasElements: false, text: '' });
    return this.#open.length <= defaultLimits.stsResponseDepthMax;
  }

  #close(name: string): boolean {
    const element = this.#open.pop();
    if (element === undefined || element.path.split('/').at(-1) !== name) return false;
    if (element.hasElements) return true;
    if (this.#texts.has(element.path)) return false;
    this.#texts.set(element.path, element.text);
    return true;
  }
}

/** Undefined for an entity that nobody defined here. */
function unescaped(text: string): string | undefined {
  const [first = '', ...others] = text.split('&');
  let plain = first;
  for (const other of others) {
    const end = other.indexOf(';');
    const character = end === -1 ? undefined : entities[other.slice(0, end)];
    if (character === undefined) return undefined;
    plain += character + other.slice(end + 1);
  }
  return plain;
}
