// Bodies of parts with heads of their own (multipart, message, application/http): a part whose head names a coding would pass
// unsearched. Any line that begins as such a field is taken for one: readers differ in where a part begins.

import { unsearchable, type Borders } from './borders.ts';
import { foreignCharset } from './searchable-response.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Fields whose value has to be one of these. Base64 is searched. */
const codingFields: readonly (readonly [name: string, plain: ReadonlySet<string>])[] = [
  ['content-encoding', new Set(['identity'])],
  ['content-transfer-encoding', new Set(['7bit', '8bit', 'binary', 'base64'])],
  ['transfer-encoding', new Set(['identity'])],
];

export function hasParts(type: string): boolean {
  return type.startsWith('multipart/') || type.startsWith('message/') || type === 'application/http';
}

export class CodedPartGuard implements Borders {
  readonly #host: string;
  /** The beginning of the line that is read. */
  #line = '';

  constructor(host: string) {
    this.#host = host;
  }

  /** No border but the end. @throws ProxyError origin_malformed */
  last(text: Uint8Array, from: number): number {
    for (let at = from; at < text.length; at += 1) {
      const octet = text[at] ?? 0;
      if (octet === 0x0a || octet === 0x0d) {
        this.#check();
        this.#line = '';
      } else if (this.#line.length < defaultLimits.partLineBytesMax) this.#line += String.fromCharCode(octet);
    }
    return 0;
  }

  #check(): void {
    const colon = this.#line.indexOf(':');
    if (colon === -1) return;
    const name = this.#line.slice(0, colon).trim().toLowerCase();
    const value = this.#line.slice(colon + 1).trim();
    const plain = codingFields.find(([field]) => field === name)?.[1];
    if (plain !== undefined && !plain.has(value.toLowerCase()))
      throw unsearchable(this.#host, 'with a part that is encoded');
    if (name === 'content-type' && foreignCharset(value) !== undefined)
      throw unsearchable(this.#host, 'with a part in a charset in which ASCII is not ASCII');
  }
}
