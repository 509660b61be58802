// Light or dark: as the system has it, until somebody says otherwise on this page.

const key = 'upstreamproxy.theme';

function isDark(): boolean {
  const said = sessionStorage.getItem(key);
  return said === null ? matchMedia('(prefers-color-scheme: dark)').matches : said === 'dark';
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = isDark() ? 'dark' : 'light';
}

export function switchTheme(): void {
  sessionStorage.setItem(key, isDark() ? 'light' : 'dark');
  applyTheme();
}
