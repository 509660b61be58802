// Tokens in octets that came in the clear: whoever is between client and gateway has read them too.

import { defaultLimits } from '../../protocol/limits.ts';
import { basicPassword } from './proxy-credentials.ts';

/** What the client calls itself, and what may be tokens in what it sent: fields, user information, passwords of SOCKS. */
export interface ExposedTokens {
  readonly tokens: readonly string[];
  readonly userAgent: string | undefined;
}

const notOfTokens = /[^A-Za-z0-9._-]+/;

/** Costs one pass over the text, whatever is in it. */
export function exposedTokens(bytes: Uint8Array): ExposedTokens {
  const text = Buffer.from(bytes).toString('latin1');
  const found = new Set<string>();
  for (const word of [...text.split(notOfTokens), ...basicWords(text)]) {
    if (!isLikeToken(word)) continue;
    found.add(word);
    if (found.size >= defaultLimits.exposedTokensMax) break;
  }
  return { tokens: [...found], userAgent: userAgentOf(text) };
}

/** In what stands behind `Basic`. */
function basicWords(text: string): readonly string[] {
  return text
    .split(/\s+/)
    .flatMap((word, i, words) => (words[i - 1]?.toLowerCase() === 'basic' ? [word] : []))
    .slice(0, defaultLimits.exposedTokensMax)
    .flatMap((word) => (basicPassword(word) ?? '').split(notOfTokens));
}

/** Three parts, the first of which begins as JSON does in base64. */
function isLikeToken(word: string): boolean {
  return word.startsWith('eyJ') && word.length <= defaultLimits.tokenBytesMax && word.split('.').length === 3;
}

function userAgentOf(text: string): string | undefined {
  const line = text.split('\r\n').find((one) => /^user-agent:/i.test(one));
  const value = line?.slice(line.indexOf(':') + 1).trim();
  return value === undefined || value === '' || isLikeTokenIn(value) ? undefined : value.slice(0, 200);
}

/** A client may put anything there. */
function isLikeTokenIn(value: string): boolean {
  return value.split(notOfTokens).some(isLikeToken);
}
