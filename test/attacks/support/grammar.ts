// The grammar of the cases: requests that are almost right, drawn by a seeded generator.

import type { Random } from '../../support/seeded.ts';

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

const methods = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'get',
  'TRACE',
  'CONNECT',
  'GE T',
  'PRI',
  'QUERY',
];
const versions = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  '',
];
const lineEnds = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', ' \r\n', '\r\n '];
const segments = [
  'public',
  'admin',
  '..',
  '.',
  '%2e%2e',
  '%2E.',
  '',
  'a;b',
  '..;',
  '%2f',
  '%5c',
  '\\',
  '%00',
  '%zz',
  '%252e',
  'é',
  '%c0%ae',
  'x y',
  '#f',
  '?q',
  '%7e',
  '*',
];
const lengths = ['0', '3', '5', '+3', '3, 3', ' 3', '0x3', '03', '-1', '99999999999999999999', ''];
const codings = [
  'chunked',
  'chunked',
  'Chunked',
  ',chunked',
  'chunked,',
  'xchunked',
  'gzip, chunked',
  'identity',
  '\x0bchunked',
];
const sizes = ['3', '3', '3', '03', '0x3', '+3', '3;ext', '3;a\nb', ' 3', '', 'g', '-3'];

/** One connection's bytes: one to three requests for a host, each perhaps bent in one place or in several. */
export function generate(random: Random, host: string, evil: string): Buffer {
  const count = random() < 0.8 ? 1 : 1 + Math.floor(random() * 3);
  let text = '';
  for (let i = 0; i < count; i += 1) text += request(random, host, evil);
  return Buffer.from(text, 'latin1');
}

function request(random: Random, host: string, evil: string): string {
  const odd = random() < 0.75 ? 0.12 : 0.4;
  const bent = <T>(usual: T, others: readonly T[]): T => (random() < odd ? pick(random, others) : usual);
  const method = bent(pick(random, ['GET', 'POST', 'HEAD']), methods);
  const end = (): string => bent('\r\n', lineEnds);
  const depth = 1 + Math.floor(random() * 4);
  const path = `/${Array.from({ length: depth }, () => bent(pick(random, ['public', 'a', 'b.html']), segments)).join('/')}`;
  const target = bent(path, [
    path,
    `https://${host}${path}`,
    `http://${evil}${path}`,
    `//${evil}${path}`,
    '*',
    host,
    `https://${evil}@${host}/`,
  ]);
  const lines = [
    `${method} ${target} ${bent('HTTP/1.1', versions)}`,
    `Host: ${bent(host, [host, evil, `${host}, ${evil}`, `${host}@${evil}`, '', `${host}.`, host.toUpperCase(), `[${host}]`])}`,
  ];
  if (random() < odd) lines.push(`Host: ${evil}`);
  if (random() < odd)
    lines.push(
      pick(random, [
        'Connection: close, Authorization',
        'Connection: keep-alive',
        'Upgrade: h2c',
        'Proxy-Authorization: x',
        'X-HTTP-Method-Override: DELETE',
        `X-Forwarded-Host: ${evil}`,
        'Expect: 100-continue',
        'Expect: x',
        'Transfer_Encoding: chunked',
        'Content_Length: 3',
        ' folded: x',
        'X : y',
        'X\0: y',
        ': y',
        'Trailer: Host',
        'TE: trailers',
      ]),
    );
  const body = random();
  if (body < 0.3) lines.push(`Content-Length: ${bent('3', lengths)}`);
  const isChunked = body > 0.7 || (body < 0.3 && random() < odd);
  if (isChunked) lines.push(`Transfer-Encoding: ${bent('chunked', codings)}`);
  const head = lines.map((line) => line + end()).join('') + end();
  if (isChunked)
    return `${head}${bent('3', sizes)}${end()}abc${end()}0${end()}${random() < odd ? `Host: ${evil}${end()}` : ''}${end()}`;
  return body < 0.3 ? `${head}abc` : head;
}
