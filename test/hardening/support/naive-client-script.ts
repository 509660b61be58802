// A client as most are: believes its environment, and sends its token in a header.

import { readFileSync } from 'node:fs';

const [url = '', tokenFile = ''] = process.argv.slice(2);
try {
  await fetch(url, {
    headers: { authorization: `Bearer ${readFileSync(tokenFile, 'utf8')}` },
    signal: AbortSignal.timeout(5_000),
  });
} catch (error) {
  console.log(String(error), String((error as Error).cause ?? ''));
}
