// The one page of a log-in that did not come to its end. Only texts of ours stand in it.

import { createHash } from 'node:crypto';

export interface LogInPage {
  readonly text: string;
  readonly traceId: string;
  /** Where to begin once more. */
  readonly again: string;
}

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto 0;padding:0 1.5rem;color:#1c2024;background:#fcfcfd}' +
  'h1{font-size:1.25rem}p{margin:0 0 1rem}a{color:#0b57d0}.trace{color:#60646c;font-size:.8125rem}' +
  '@media(prefers-color-scheme:dark){body{color:#edeef0;background:#111113}a{color:#8ab4f8}.trace{color:#b0b4ba}}';
const styleHash = createHash('sha256').update(style).digest('base64');

/** What the page may do: nothing but look so. */
export const logInPageFields = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
} as const;

export function logInPage({ text, traceId, again }: LogInPage): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not logged in · upstreamproxy</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style></head>
<body><main><h1>You are not logged in</h1>
<p>${escaped(text)}</p>
<p><a href="${escaped(again)}">Try again</a> · <a href="/">Log in with a token</a></p>
<p class="trace">trace ${escaped(traceId)}</p></main></body></html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
