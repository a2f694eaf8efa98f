"""Keyframes from motion: optical flow, motion curves, keyframe selection and the network that predicts them from sound."""
