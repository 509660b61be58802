// Mercurial: a file at the end of HGRCPATH, which lists all configuration and not only ours.

export function hgrc(bundle: string): string {
  return `# Written by upstreamproxy for one session.\n[web]\ncacerts = ${bundle}\n`;
}

/** What Mercurial reads where HGRCPATH is not set; it expands ~ itself, and what is not there is passed over. */
const usualPlaces = [
  // The tools for merging that it brings along.
  '/usr/lib/python3/dist-packages/mercurial/defaultrc',
  '/etc/mercurial/hgrc',
  '/etc/mercurial/hgrc.d',
  '/usr/local/etc/mercurial/hgrc',
  '/usr/local/etc/mercurial/hgrc.d',
  '~/.hgrc',
] as const;

/** The value of HGRCPATH: what the user's own says, or the usual places, and ours last. */
export function mercurialPath(base: Readonly<Record<string, string | undefined>>, ours: string): string {
  const configured = base['HGRCPATH'];
  // Set but empty, it means that only repositories have configuration.
  if (configured !== undefined) return configured === '' ? ours : `${configured}:${ours}`;
  const configHome = base['XDG_CONFIG_HOME'];
  const own = `${configHome === undefined || configHome === '' ? '~/.config' : configHome}/hg/hgrc`;
  return [...usualPlaces, own, ours].join(':');
}
