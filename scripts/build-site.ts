// `npm run build:site [-- --out DIR] [--at /PATH/] [--named VERSION] [--archive FILE]`: the documents as a site. The pages of this version go to
// DIR/VERSION, and other versions that are in DIR stay. VitePress comes by a package of its own (site/), so that `npm ci` of the project stays
// quick; after the first time the build needs no network.

import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { relativeAddresses } from './site/relative-addresses.ts';
import { filesBelow, siteArchive } from './site/site-archive.ts';
import { pageText, sidebar, sitePages, sitePictures } from './site/site-pages.ts';
import { installSiteTools, runIn } from './site/site-tools.ts';
import { isVersion, leadingPage, versionList, writeVersions } from './site/site-versions.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const site = join(root, 'site');
const pagesFolder = join(site, 'pages');

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

interface SiteBuild {
  readonly version: string;
  readonly description: string;
  /** The path that serves this version, with a slash at both ends. */
  readonly base: string;
  readonly output: string;
}

/** Of the blocks of code, in an order that is the same each time. */
function languagesOf(folder: string): readonly string[] {
  const texts = globSync('**/*.md', { cwd: folder }).map((file) => readFileSync(join(folder, file), 'utf8'));
  const named = texts.flatMap((text) => [...text.matchAll(/^ *```([a-z]+)$/gm)].map(([, name = '']) => name));
  return [...new Set(named)].filter((name) => name !== 'haproxy').toSorted();
}

function writeConfiguration({ version, description, base, output }: SiteBuild): void {
  const configuration = {
    lang: 'en',
    title: 'upstreamproxy',
    description,
    base,
    srcDir: 'pages',
    outDir: output,
    lastUpdated: false,
    head: [['link', { rel: 'icon', type: 'image/svg+xml', href: icon }]],
    metaChunk: true,
    // One after the other: else the index of the search has the order in which pages were ready, and colours of code depend on which languages were
    // known by then.
    buildConcurrency: 1,
    markdown: {
      html: false,
      languages: languagesOf(pagesFolder),
      languageAlias: { haproxy: 'ini' },
      theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    },
    themeConfig: {
      version,
      search: { provider: 'local', options: { detailedView: true } },
      nav: [
        { text: 'First steps', link: '/guides/first-steps' },
        { text: 'Commands', link: '/reference/commands' },
        { text: 'Errors', link: '/reference/errors' },
        { text: 'All documents', link: '/documents' },
        { text: 'Changes', link: '/project/changelog' },
      ],
      sidebar: sidebar(root),
      outline: [2, 3],
      externalLinkIcon: true,
      footer: { message: `Version ${version}. Apache-2.0.` },
    },
  };
  const folder = join(site, '.vitepress');
  mkdirSync(folder, { recursive: true });
  const text = `const configuration = ${JSON.stringify(configuration, null, 2)};
// Names of headings as sites for code make them, and as test/documents.test.ts looks for them.
const slugify = (title) => title.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, '').replaceAll(' ', '-');
configuration.markdown.anchor = { slugify };
configuration.markdown.toc = { slugify };
configuration.markdown.headers = { slugify };
// Two braces in a text are no expression of the site's program.
configuration.markdown.config = ({ renderer: { rules } }) => {
  for (const name of ['code_inline', 'text']) {
    const rule = rules[name];
    rules[name] = (...all) => rule(...all).replaceAll('{{', '&#123;&#123;');
  }
};
// A line that takes long on a busy machine would else lose its colours, and two builds would differ.
configuration.markdown.shikiSetup = (highlighter) => {
  const { codeToHtml } = highlighter;
  highlighter.codeToHtml = (code, options) => codeToHtml(code, { ...options, tokenizeTimeLimit: 0 });
};
export { configuration as default };
`;
  writeFileSync(join(folder, 'config.mjs'), text);
  rmSync(join(folder, 'theme'), { recursive: true, force: true });
  cpSync(join(site, 'theme'), join(folder, 'theme'), { recursive: true });
}

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist', 'site') },
    at: { type: 'string', default: '/' },
    named: { type: 'string' },
    archive: { type: 'string' },
  },
});
// The project's own file.
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly description: string;
};
const { named: version = own.version, at } = values;
if (!isVersion(version)) throw new Error(`--named is a version such as 1.2.3, not ${version}`);
if (!/^\/(?:[\w.-]+\/)*$/.test(at)) throw new Error('--at is a path with a slash at both ends');
const folder = resolve(values.out);
const build = {
  version,
  description: own.description,
  base: `${at}${version}/`,
  output: join(folder, version),
};
installSiteTools(root);
writePages();
writeConfiguration(build);
rmSync(build.output, { recursive: true, force: true });
runIn(site, process.execPath, ['node_modules/vitepress/bin/vitepress.js', 'build', '.']);
relativeAddresses(build.output, build.base);
const { versions } = writeVersions(folder);
console.log(`${folder}: ${sitePages(root).length} pages of ${version}; versions ${versions.join(', ')}`);
if (values.archive !== undefined) {
  const archive = siteArchive([
    ...filesBelow(build.output, `${version}/`),
    { name: 'versions.json', body: Buffer.from(versionList({ latest: version, versions: [version] })) },
    { name: 'index.html', body: Buffer.from(leadingPage(`${version}/index.html`)) },
  ]);
  writeFileSync(resolve(values.archive), archive);
  console.log(`${values.archive}: ${(archive.length / 1e6).toFixed(2)} MB`);
}
