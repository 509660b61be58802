// A repository of composer with one package.

import { createHash } from 'node:crypto';

import { zip } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary } from './handler.ts';

export function composerRepository(): OriginHandler {
  const name = 'example/library';
  const autoload = { files: ['library.php'] };
  const archive = zip({
    'library-1.0.0/composer.json': JSON.stringify({ name, autoload }),
    'library-1.0.0/library.php': "<?php\nfunction example_hello() { return 'hello from packagist'; }\n",
  });
  const shasum = createHash('sha1').update(archive).digest('hex');
  return ({ path, base }) => {
    const dist = { type: 'zip', url: `${base}/dist/library-1.0.0.zip`, reference: 'v1.0.0', shasum };
    const version = {
      name,
      version: '1.0.0',
      version_normalized: '1.0.0.0',
      type: 'library',
      autoload,
      dist,
    };
    switch (path) {
      case '/packages.json':
        return { body: { 'metadata-url': '/p2/%package%.json', 'available-packages': [name] } };
      case `/p2/${name}.json`:
        return { body: { packages: { [name]: [version] } } };
      case `/p2/${name}~dev.json`:
        return { body: { packages: { [name]: [] } } };
      case '/dist/library-1.0.0.zip':
        return binary(archive, 'application/zip');
      default:
        return undefined;
    }
  };
}
