// How the link of `run --ui` carries its secret: behind the `#`, which no browser sends to anybody.

export const linkFragment = 'log-in=';
