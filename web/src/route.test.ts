import { expect, it } from 'vitest';

import { dashboardHash, viewOf, windowName, windowOf, WINDOWS_HOURS } from './route';

it('knows the dashboard, and takes everything else for the pictures', () => {
  expect(viewOf('#/dashboard')).toBe('dashboard');
  expect(viewOf('#/dashboard?hours=6')).toBe('dashboard');
  for (const hash of ['', '#', '#/', '#stage', '#/dashboards', '#dashboard']) expect(viewOf(hash)).toBe('pictures');
});

it('finds each window again in the address that it made', () => {
  for (const hours of WINDOWS_HOURS) expect(windowOf(dashboardHash(hours))).toBe(hours);
});

it('shows a day where the address asks for what the server would refuse', () => {
  for (const hours of ['0', '169', '-1', '6.5', 'all', '']) expect(windowOf(`#/dashboard?hours=${hours}`)).toBe(24);
});

it('names windows as the chooser shows them', () => {
  expect(WINDOWS_HOURS.map(windowName)).toEqual(['1 h', '6 h', '24 h', '7 d']);
});
