// The page of a package of PyPI in HTML (PEP 503), from its JSON: clients that know no JSON get it from us, for HTML tells no times.

/** Of an index that was read; what stands in it is the registry's. */
export function simplePage(text: string): string {
  // Written by `ListedVersions.show`: an object with files.
  const { name, files } = JSON.parse(text) as { readonly name?: unknown; readonly files: readonly object[] };
  const title = `Links for ${escaped(typeof name === 'string' ? name : '')}`;
  const links = files.map((file) => linkOf(file as Readonly<Record<string, unknown>>));
  return [
    '<!DOCTYPE html>',
    `<html><head><meta name="pypi:repository-version" content="1.1"><title>${title}</title></head><body>`,
    `<h1>${title}</h1>`,
    ...links,
    '</body></html>',
    '',
  ].join('\n');
}

function linkOf(file: Readonly<Record<string, unknown>>): string {
  const text = (name: string): string => (typeof file[name] === 'string' ? file[name] : '');
  const hash = hashOf(file['hashes']);
  const metadata = file['core-metadata'] ?? file['dist-info-metadata'];
  const attributes = [
    `href="${escaped(text('url') + (hash === undefined ? '' : `#${hash}`))}"`,
    ...(text('requires-python') === '' ? [] : [`data-requires-python="${escaped(text('requires-python'))}"`]),
    ...(metadata === undefined || metadata === false
      ? []
      : [`data-core-metadata="${escaped(hashOf(metadata) ?? 'true')}"`]),
    ...(file['yanked'] === undefined || file['yanked'] === false
      ? []
      : [`data-yanked="${escaped(text('yanked'))}"`]),
  ];
  return `<a ${attributes.join(' ')}>${escaped(text('filename'))}</a><br>`;
}

function hashOf(hashes: unknown): string | undefined {
  if (typeof hashes !== 'object' || hashes === null || !('sha256' in hashes)) return undefined;
  return typeof hashes.sha256 === 'string' ? `sha256=${hashes.sha256}` : undefined;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => entities[char] ?? '');
