// The console: the page that the admin listener serves.

import './console.css';
import './views.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { applyTheme } from './parts/theme.ts';

applyTheme();
const place = document.querySelector('#console');
if (place !== null) createRoot(place).render(<App />);
