import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactFields, searchHead } from '../../../src/gateway/leaks/head-search.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';
import { sample, soughtFor } from '../support/leaks.ts';

const sought = soughtFor({ held: sample.token });
const parts = sample.token.match(/.{1,6}/g) ?? [];
const base64 = Buffer.from(sample.token).toString('base64');

function headOf(
  part: Partial<RequestHead>,
  fields: readonly (readonly [string, string])[] = [],
): RequestHead {
  const destination = { scheme: 'https', host: 'a.test', port: 443 } as const;
  return {
    method: 'GET',
    destination,
    path: '/',
    query: '',
    headers: new HeaderList(fields),
    httpVersion: '1.1',
    ...part,
  };
}
const destinationOf = (host: string) => ({ destination: { scheme: 'https', host, port: 443 } as const });

const found: Readonly<Record<string, RequestHead>> = {
  'the method': headOf({ method: sample.token.toUpperCase() }),
  'labels of the host': headOf(destinationOf(`${sample.token.replaceAll('_', '').toLowerCase()}.a.test`)),
  'segments of the path': headOf({ path: `/${parts.join('/')}` }),
  'the query, encoded twice': headOf({ query: `?q=${encodeURIComponent(encodeURIComponent(`"${base64}`))}` }),
  'the query beside what is no UTF-8': headOf({
    query: `?q=%ff${[...Buffer.from(sample.token)].map((o) => `%${o.toString(16)}`).join('')}`,
  }),
  'values of parameters, one behind the other': headOf({
    query: `?${parts.map((p, i) => `${'abcdef'[i]}=${p}`).join('&')}`,
  }),
  'names of parameters': headOf({ query: `?${parts.map((p) => `${p}=1`).join('&')}` }),
  'a name of a field': headOf({}, [[`x-${sample.token.toLowerCase()}`, '1']]),
  'values of fields, one behind the other': headOf(
    {},
    parts.map((p, i) => [`x-${'abcdef'[i]}`, p] as const),
  ),
  'the password of Basic': headOf({}, [
    ['authorization', `Basic ${Buffer.from(`me:${sample.token}`).toString('base64')}`],
  ]),
};

for (const [place, head] of Object.entries(found))
  test(`a value in ${place} is found`, () => {
    const names = searchHead(head, sought).map(({ match }) => match.name);
    assert.deepEqual([...new Set(names)], ['held']);
  });

/** What nothing that looks at one request can know. The threat model says so. */
const unfound: Readonly<Record<string, RequestHead>> = {
  'parameters in another order': headOf({
    query: `?${parts
      .toReversed()
      .map((p, i) => `${i}=${p}`)
      .join('&')}`,
  }),
  'letters that look alike': headOf({ query: `?q=${encodeURIComponent(sample.token.replaceAll('o', 'о'))}` }),
  'its letters in reverse': headOf({ query: `?q=${[...sample.token].toReversed().join('')}` }),
  'Base64 of Base64 of Base64': headOf({
    query: `?q=${Buffer.from(Buffer.from(base64).toString('base64')).toString('base64url')}`,
  }),
  'a half of it': headOf({ query: `?q=${sample.token.slice(0, 16)}` }),
};

for (const [place, head] of Object.entries(unfound))
  test(`${place} is not found, and is not said to be`, () => {
    assert.deepEqual(searchHead(head, sought), []);
  });

test('fields are redacted where the value stands, and not where it is spread over several', () => {
  const fields = new HeaderList([
    ['x-a', `before ${sample.token} behind`],
    ['x-b', 'other'],
  ]);
  const [[, value] = []] = [...(redactFields(fields, sought) ?? [])];
  assert.match(value ?? '', /^before \*+ behind$/);
  assert.equal(
    redactFields(found['values of fields, one behind the other']?.headers ?? fields, sought),
    undefined,
  );
});
