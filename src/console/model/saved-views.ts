// Filters that somebody keeps by a name. They stand in the storage of the browser, where anything may stand by now.

export interface SavedView {
  readonly name: string;
  readonly filter: string;
}

export const viewsMost = 40;
const nameCharactersMax = 60;
const filterCharactersMax = 2000;

/** What can be read of it. */
export function viewsOf(text: string | null): readonly SavedView[] {
  let found: unknown;
  try {
    found = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  if (!Array.isArray(found)) return [];
  const views = found.filter(isView).map(({ name, filter }) => ({ name: cutName(name), filter }));
  return [...new Map(views.map((view) => [view.name, view])).values()].slice(0, viewsMost);
}

/** With that one, which replaces another of its name; unchanged where there are too many, or it has no name. */
export function withView(views: readonly SavedView[], view: SavedView): readonly SavedView[] {
  const name = cutName(view.name);
  const others = views.filter((one) => one.name !== name);
  if (name === '' || others.length >= viewsMost || view.filter.length > filterCharactersMax) return views;
  return [...others, { name, filter: view.filter }];
}

export function withoutView(views: readonly SavedView[], name: string): readonly SavedView[] {
  return views.filter((one) => one.name !== name);
}

function cutName(name: string): string {
  return name.trim().slice(0, nameCharactersMax).trim();
}

function isView(value: unknown): value is SavedView {
  if (typeof value !== 'object' || value === null) return false;
  const { name, filter } = value as Partial<Record<keyof SavedView, unknown>>;
  return (
    typeof name === 'string' &&
    cutName(name) !== '' &&
    typeof filter === 'string' &&
    filter.length <= filterCharactersMax
  );
}
