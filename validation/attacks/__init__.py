"""Attacks on synthetic cases: who was among the patients, and what was their record?"""
