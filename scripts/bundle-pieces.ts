// Bundles a program for a single file: node bundle-pieces.ts ENTRY VERSION FOLDER LIST. What is loaded where it is used stays a piece of its own
// in FOLDER, as CommonJS, whose first is program.cjs; LIST names the files of source that are in them, relative to the checkout, as JSON.

import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));

const [entry = '', version = '', folder = '', list = ''] = process.argv.slice(2);

await using bundle = await rolldown({
  input: { program: join(root, entry) },
  cwd: root,
  platform: 'node',
  // Optional parts of packages, which are not used where they are not built.
  external: ['cpu-features'],
  transform: {
    define: {
      builtVersion: JSON.stringify(version),
      // What is looked for beside the source, is not there; and the builder's folders are nobody's business.
      'import.meta.url': JSON.stringify('file:///'),
      // The same for packages in CommonJS.
      __filename: JSON.stringify('/package'),
      __dirname: JSON.stringify('/package'),
    },
  },
  onLog(level, log, handle) {
    // Packages: what they do is theirs.
    if (level === 'warn' && log.code === 'EVAL') return;
    handle(level === 'warn' ? 'error' : level, log);
  },
});
const { output } = await bundle.write({
  dir: folder,
  format: 'cjs',
  exports: 'named',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name].cjs',
  comments: false,
  // Names stay: stacks are read, and errors are told by theirs.
  minify: { compress: { keepNames: { function: true, class: true } }, mangle: false, codegen: true },
});
// The loader looks for pieces in one folder, and for nothing else.
const other = output.find(({ type, fileName }) => type !== 'chunk' || fileName.includes('/'));
if (other !== undefined) throw new Error(`${other.fileName} is no piece that the loader finds`);
const sources = output
  .flatMap((piece) => (piece.type === 'chunk' ? Object.entries(piece.modules) : []))
  // What begins with a zero is the bundler's own.
  .filter(([path, { renderedLength }]) => !path.startsWith('\0') && renderedLength > 0)
  .map(([path]) => relative(root, path));
writeFileSync(list, JSON.stringify([...new Set(sources)].toSorted()));
