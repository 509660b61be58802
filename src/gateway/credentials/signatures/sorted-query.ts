// The parameters of a query in the order of their octets. Servers sort what they have decoded, or what they have not: where that gives
// another order or another text, nothing is signed.

import { refused } from './covered-head.ts';

/** What every reader takes for itself, encoded or not. */
const plainPart = /^[A-Za-z0-9._~%-]*$/;
const strayPercent = /%(?![0-9A-F]{2})/;
const unreservedEncoded = /%(?:4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9AE]|3[0-9]|2[DE]|5F)/;

/** `query` is with its `?`, or empty. @throws ProxyError signature_refused */
export function sortedQuery(query: string): string {
  if (query.length < 2) return '';
  const parameters = query
    .slice(1)
    .split('&')
    .map((parameter) => {
      const [name = '', value, ...more] = parameter.split('=');
      if (name === '' || value === undefined || more.length > 0)
        throw refused(
          'the signature covers the sorted query, in which each parameter has to be written as name=value',
        );
      const isPlain = (part: string): boolean =>
        plainPart.test(part) && !strayPercent.test(part) && !unreservedEncoded.test(part);
      if (!isPlain(name) || !isPlain(value))
        throw refused(
          `the signature covers the sorted query, and servers read the parameter ${name.slice(0, 60)} in different ways; encode all but letters, digits, "-", ".", "_" and "~", in capital hexadecimal digits`,
        );
      return { name, parameter };
    });
  const sorted = orders.map((key) => parameters.toSorted((a, b) => compare(key(a), key(b))));
  const [byName = [], ...others] = sorted;
  byName.forEach(({ name }, at) => {
    if (byName[at + 1]?.name.toLowerCase() === name.toLowerCase())
      throw refused(
        `the signature covers the sorted query, and the parameter ${name.slice(0, 60)} stands more than once; send it once`,
      );
  });
  // An encoded octet sorts before a letter, and what it stands for need not.
  const isEncoded = parameters.length > 1 && parameters.some(({ name }) => name.includes('%'));
  if (isEncoded || others.some((other) => other.some((one, at) => one !== byName[at])))
    throw refused(
      'the signature covers the sorted query, and servers put its parameters into different orders; use names in lower case of which none begins with another one',
    );
  return byName.map(({ parameter }) => parameter).join('&');
}

interface Parameter {
  readonly name: string;
  readonly parameter: string;
}

/** By name, without regard to case, and by what is written, in which "=" sorts behind digits. */
const orders: readonly ((one: Parameter) => string)[] = [
  ({ name }) => name,
  ({ name }) => name.toLowerCase(),
  ({ parameter }) => parameter,
];

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
