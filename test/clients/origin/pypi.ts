// A simple index of Python packages (PEP 503) with one wheel.

import { createHash } from 'node:crypto';

import { zip } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, text } from './handler.ts';

const wheelName = 'example_package-1.0.0-py3-none-any.whl';
const metadata = 'Metadata-Version: 2.1\nName: example-package\nVersion: 1.0.0\nSummary: An example.\n';

function wheel(): Buffer {
  const files: Record<string, string> = {
    'example_package.py': "HELLO = 'hello from pypi'\n",
    'example_package-1.0.0.dist-info/METADATA': metadata,
    'example_package-1.0.0.dist-info/WHEEL':
      'Wheel-Version: 1.0\nGenerator: example\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  };
  const rows = Object.entries(files).map(([path, content]) => {
    const hash = createHash('sha256').update(content).digest('base64url');
    return `${path},sha256=${hash},${Buffer.byteLength(content)}\n`;
  });
  const record = 'example_package-1.0.0.dist-info/RECORD';
  return zip({ ...files, [record]: `${rows.join('')}${record},,\n` });
}

export function pythonIndex(): OriginHandler {
  const bytes = wheel();
  const hash = createHash('sha256').update(bytes).digest('hex');
  const page = (links: string): string => `<!DOCTYPE html><html><body>${links}</body></html>\n`;
  return ({ path }) => {
    switch (path) {
      case '/simple/':
        return text(page('<a href="/simple/example-package/">example-package</a>'), 'text/html');
      case '/simple/example-package/':
        return text(page(`<a href="/files/${wheelName}#sha256=${hash}">${wheelName}</a>`), 'text/html');
      case `/files/${wheelName}`:
        return binary(bytes);
      default:
        return undefined;
    }
  };
}
