// What a registry promises of the octets of an archive: `sha512-…` with base64, as in Subresource Integrity.

const lengths = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 } as const;
type Algorithm = keyof typeof lengths;
const byStrength: readonly Algorithm[] = ['sha512', 'sha384', 'sha256', 'sha1'];

/** The strongest of a list. Undefined: there is none, or there are several of that kind, of which any would do. */
export function strongestDigest(text: string): string | undefined {
  const digests = text.split(/\s+/).map((one) => one.replace(/\?.*$/, ''));
  for (const algorithm of byStrength) {
    const [first, ...others] = digests.filter((one) => one.startsWith(`${algorithm}-`));
    if (first !== undefined) return others.length === 0 && isDigest(first) ? first : undefined;
  }
  return undefined;
}

/** Of one that is written in hexadecimal. */
export function digestOfHex(algorithm: Algorithm, hex: string): string | undefined {
  if (hex.length !== 2 * lengths[algorithm] || !/^[0-9a-fA-F]+$/.test(hex)) return undefined;
  const octets = Array.from({ length: lengths[algorithm] }, (_, i) =>
    Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
  return `${algorithm}-${base64(octets)}`;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(octets: readonly number[]): string {
  let text = '';
  for (let i = 0; i < octets.length; i += 3) {
    const [a = 0, b = 0, c = 0] = octets.slice(i, i + 3);
    const bits = (a << 16) | (b << 8) | c;
    const letters = [18, 12, 6, 0].map((shift) => alphabet.charAt((bits >> shift) & 63)).join('');
    const missing = Math.max(0, i + 3 - octets.length);
    text += letters.slice(0, 4 - missing) + '='.repeat(missing);
  }
  return text;
}

/** `sha256:…`, as in addresses of OCI. */
export function digestOfAddress(text: string): string | undefined {
  const [, algorithm = '', hex = ''] = /^(sha256|sha512):([0-9a-f]+)$/.exec(text) ?? [];
  return algorithm === 'sha256' || algorithm === 'sha512' ? digestOfHex(algorithm, hex) : undefined;
}

function isDigest(text: string): boolean {
  const [, algorithm = '', written = ''] = /^(sha\d+)-([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const length = byStrength.includes(algorithm as Algorithm) ? lengths[algorithm as Algorithm] : 0;
  return length > 0 && written.length === 4 * Math.ceil(length / 3);
}
