// A plain web site.

import type { OriginHandler } from './handler.ts';
import { text } from './handler.ts';

const bytesMax = 64 * 1024 * 1024;

export const webSite: OriginHandler = ({ method, path, httpVersion, body }) => {
  const [, first, argument] = path.split('/');
  switch (first) {
    case 'hello':
      return text('hello from web\n');
    case 'json':
      return { body: { hello: 'web' } };
    case 'echo':
      return { body: { method, httpVersion, bodyBytes: body.length } };
    case 'bytes':
      return { body: Buffer.alloc(Math.min(Number(argument) || 0, bytesMax), 'u') };
    default:
      return undefined;
  }
};
