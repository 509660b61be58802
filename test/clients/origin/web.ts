// A plain web site, with files for clients that have no registry.

import { zip } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, text } from './handler.ts';

const bytesMax = 64 * 1024 * 1024;

export const webSite: OriginHandler = ({ method, path, httpVersion, body }) => {
  const [, first, argument] = path.split('/');
  switch (first) {
    case 'hello':
      // Pages of elsewhere may read it.
      return {
        body: 'hello from web\n',
        headers: { 'content-type': 'text/plain', 'access-control-allow-origin': '*' },
      };
    case 'video.mp4':
      return binary(Buffer.from('hello from web\n'), 'video/mp4');
    case 'program.js':
      return text("console.log('hello from web');\n", 'application/javascript');
    case 'example.hsfiles':
      return text(
        '{-# START_FILE package.yaml #-}\nname: project\n{-# START_FILE README #-}\nhello from web\n',
      );
    case 'example-1.0.0.ez':
      return binary(mixArchive(), 'application/zip');
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

/** An archive of Elixir's mix with an application that has no module. */
export function mixArchive(): Buffer {
  return zip({
    'example-1.0.0/ebin/example.app':
      '{application, example, [{vsn, "1.0.0"}, {modules, []}, {registered, []}, {applications, [kernel, stdlib]}]}.\n',
  });
}
