// `npm run build:diagrams`: draws docs/diagrams/*.d2 into docs/images. The drawing program comes with the tools of the site.

import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installSiteTools } from './site/site-tools.ts';
import { drawDiagram } from './site/draw-diagram.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
installSiteTools(root);
for (const file of globSync('docs/diagrams/*.d2', { cwd: root }).toSorted()) {
  const picture = join('docs/images', `${basename(file, '.d2')}.svg`);
  writeFileSync(join(root, picture), await drawDiagram(root, readFileSync(join(root, file), 'utf8')));
  console.log(picture);
}
process.exit(0);
