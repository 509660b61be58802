// The pages of the documentation site: which document each is made from, and its text with links that hold there.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

export interface SitePage {
  /** Path of the document, from the root of the project. */
  readonly source: string;
  /** Path of the page in the site, with `.md`. */
  readonly page: string;
}

/** Documents at the root of the project, and where the site has them. */
const rootPages: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'ARCHITECTURE.md': 'project/architecture.md',
  'SECURITY.md': 'project/security.md',
  'CONTRIBUTING.md': 'project/contributing.md',
  'CHANGELOG.md': 'project/changelog.md',
};

/** All pages. `docs/README.md` is the list of all documents. */
export function sitePages(root: string): readonly SitePage[] {
  const documents = globSync('docs/**/*.md', { cwd: root }).toSorted();
  return [
    ...Object.entries(rootPages).map(([source, page]) => ({ source, page })),
    ...documents.map((source) => {
      const within = posix.relative('docs', source);
      return { source, page: within === 'README.md' ? 'documents.md' : within };
    }),
  ];
}

/** The links of Markdown, with those of pictures; not in code. */
const link = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g;
const fenced = /^(?:```|~~~)/;

/**
 * The text of a page: links lead to pages of the site. What the site does not have, such as a file of the source, stands as its path.
 * Comments, which are for tests, are left out.
 */
export function pageText(root: string, { source, page }: SitePage, pages: readonly SitePage[]): string {
  const pageOf = new Map(pages.map((one) => [one.source, one.page]));
  let inCode = false;
  const lines = readFileSync(join(root, source), 'utf8').split('\n');
  return lines
    .map((line) => {
      if (fenced.test(line.trim())) inCode = !inCode;
      if (inCode) return line;
      return line
        .replace(/<!--.*?-->/g, '')
        .replace(link, (all, mark: string, text: string, target: string) =>
          siteLink(root, { all, mark, text, target }, { source, page, pageOf }),
        );
    })
    .join('\n');
}

interface FoundLink {
  readonly all: string;
  readonly mark: string;
  readonly text: string;
  readonly target: string;
}

interface LinkPlace extends SitePage {
  readonly pageOf: ReadonlyMap<string, string>;
}

function siteLink(
  root: string,
  { all, mark, text, target }: FoundLink,
  { source, page, pageOf }: LinkPlace,
): string {
  if (/^(?:[a-z]+:|#)/.test(target)) return all;
  const [path = '', section] = target.split('#');
  const file = posix.join(posix.dirname(source), path);
  if (mark === '!') {
    if (!sitePictures(root).includes(file))
      throw new Error(`${source}: ${target} is no picture in docs/images`);
    return `![${text}](/${posix.relative('docs', file)})`;
  }
  const found = pageOf.get(file);
  if (found !== undefined) {
    const way = posix.relative(posix.dirname(page), found);
    return `[${text}](${way.startsWith('.') ? way : `./${way}`}${section === undefined ? '' : `#${section}`})`;
  }
  if (!existsSync(join(root, file))) throw new Error(`${source}: ${target} is not there`);
  const words = text.replaceAll('`', '');
  return words === file || file.endsWith(`/${words}`) ? `\`${file}\`` : `${text} (\`${file}\`)`;
}

export interface SidebarItem {
  readonly text: string;
  readonly link: string;
}

export interface SidebarGroup {
  readonly text: string;
  readonly items: readonly SidebarItem[];
}

/** The groups of the index, `docs/README.md`, in its order. */
export function sidebar(root: string): readonly SidebarGroup[] {
  const groups: { text: string; items: SidebarItem[] }[] = [];
  for (const line of readFileSync(join(root, 'docs/README.md'), 'utf8').split('\n')) {
    const [, title] = /^## (.+)$/.exec(line) ?? [];
    if (title !== undefined) groups.push({ text: title, items: [] });
    const [, text, target] = /^- \[(.+?)\]\(([^)]+)\)/.exec(line) ?? [];
    if (text === undefined || target === undefined) continue;
    const source = posix.join('docs', target);
    const page = rootPages[source] ?? posix.relative('docs', source);
    groups.at(-1)?.items.push({ text: text.replaceAll('`', ''), link: `/${page.replace(/\.md$/, '')}` });
  }
  return groups;
}

/** Pictures that pages show, from the root of the project. */
export const sitePictures = (root: string): readonly string[] =>
  globSync('docs/images/*.{png,svg}', { cwd: root });
