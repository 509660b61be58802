// A proxy of Go modules with one module.

import { zip } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

export function goProxy(): OriginHandler {
  const goMod = 'module example.test/library\n\ngo 1.20\n';
  const archive = zip({
    'example.test/library@v1.0.0/go.mod': goMod,
    'example.test/library@v1.0.0/library.go':
      'package library\n\n// Hello greets.\nfunc Hello() string { return "hello from go" }\n',
  });
  const info = { body: { Version: 'v1.0.0', Time: '2020-01-01T00:00:00Z' } };
  return staticFiles({
    '/example.test/library/@v/list': text('v1.0.0\n'),
    '/example.test/library/@latest': info,
    '/example.test/library/@v/v1.0.0.info': info,
    '/example.test/library/@v/v1.0.0.mod': text(goMod),
    '/example.test/library/@v/v1.0.0.zip': binary(archive, 'application/zip'),
  });
}
