// `npm run build:site`: the documents as a site, in dist/site. VitePress comes by a package of its own (site/), so that `npm ci` of the
// project stays quick; after the first time the build needs no network.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pageText, sidebar, sitePages, sitePictures } from './site/site-pages.ts';
import { relativeAddresses } from './site/relative-addresses.ts';
import { installSiteTools, runIn } from './site/site-tools.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const site = join(root, 'site');
const pagesFolder = join(site, 'pages');
const output = join(root, 'dist/site');

/** An arrow that goes up, out of a box; in the page itself. */
const icon = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M2 8v6h12V8M8 11V2M4 6l4-4 4 4" fill="none" stroke="#4673d1" stroke-width="2"/></svg>',
)}`;

function writePages(): void {
  rmSync(pagesFolder, { recursive: true, force: true });
  const pages = sitePages(root);
  for (const page of pages) {
    const file = join(pagesFolder, page.page);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, pageText(root, page, pages));
  }
  mkdirSync(join(pagesFolder, 'public/images'), { recursive: true });
  for (const picture of sitePictures(root))
    cpSync(join(root, picture), join(pagesFolder, 'public/images', basename(picture)));
}

function writeConfiguration(): void {
  // The project's own file.
  const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
    description: string;
  };
  const configuration = {
    lang: 'en',
    title: 'upstreamproxy',
    description,
    srcDir: 'pages',
    outDir: output,
    lastUpdated: false,
    head: [['link', { rel: 'icon', type: 'image/svg+xml', href: icon }]],
    metaChunk: true,
    markdown: {
      html: false,
      theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    },
    themeConfig: {
      search: { provider: 'local', options: { detailedView: true } },
      nav: [
        { text: 'First steps', link: '/guides/first-steps' },
        { text: 'Commands', link: '/reference/commands' },
        { text: 'Errors', link: '/reference/errors' },
        { text: 'All documents', link: '/documents' },
        { text: version, link: '/project/changelog' },
      ],
      sidebar: sidebar(root),
      outline: [2, 3],
      externalLinkIcon: true,
      footer: { message: `Version ${version}. Apache-2.0.` },
    },
  };
  const folder = join(site, '.vitepress');
  mkdirSync(join(folder, 'theme'), { recursive: true });
  const text = `const configuration = ${JSON.stringify(configuration, null, 2)};
// Names of headings as sites for code make them, and as test/documents.test.ts looks for them.
const slugify = (title) => title.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, '').replaceAll(' ', '-');
configuration.markdown.anchor = { slugify };
configuration.markdown.toc = { slugify };
configuration.markdown.headers = { slugify };
export { configuration as default };
`;
  writeFileSync(join(folder, 'config.mjs'), text);
  cpSync(join(site, 'style.css'), join(folder, 'theme/style.css'));
  writeFileSync(
    join(folder, 'theme/index.mjs'),
    "import DefaultTheme from 'vitepress/theme-without-fonts';\nimport './style.css';\n\nexport default DefaultTheme;\n",
  );
}

installSiteTools(root);
writePages();
writeConfiguration();
rmSync(output, { recursive: true, force: true });
runIn(site, process.execPath, ['node_modules/vitepress/bin/vitepress.js', 'build', '.']);
relativeAddresses(output);
console.log(`dist/site: ${sitePages(root).length} pages; serve the folder with any static server`);
