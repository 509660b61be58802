// JSON that services give for a signature.

import { ProxyError } from '../../protocol/error.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object. Throws `ca_key_unusable` for what is none. */
export function fieldsOf(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    // An object has keys, whose values are checked where they are read.
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch {
    // Told below.
  }
  throw new ProxyError('ca_key_unusable', 'its response is not a JSON object');
}

/** Those of `data`, as Vault has it. */
export function dataOf(text: string): Fields {
  const { data } = fieldsOf(text);
  return typeof data === 'object' && data !== null ? (data as Fields) : {};
}

/** For a message: what a service says is wrong, without line breaks and in bounds. */
export function reasonOf(text: string): string {
  try {
    const fields = fieldsOf(text);
    const { error, message = fields['Message'], __type: type } = fields;
    const inner = typeof error === 'object' && error !== null ? (error as Fields)['message'] : undefined;
    const said = [type, message, inner].filter((one) => typeof one === 'string').join(': ');
    return said.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 300);
  } catch {
    return '';
  }
}
